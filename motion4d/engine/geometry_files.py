"""The files of one predicted sequence: what eval.depth and eval.pose read, in the form of task=reconstruct.

SEQUENCE/depth.npz        z [h, w] float32 by the frame's stem, at the network's resolution
SEQUENCE/trajectory.txt   stamp tx ty tz qx qy qz qw, camera to world (TUM)
SEQUENCE/intrinsics.txt   fx fy cx cy of every frame, in pixels of the images
SEQUENCE.json             the settings; written last, so that the same work is not done twice
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.engine.collection import identity
from motion4d.engine.geometry_prediction import GeometryInference, PredictedFrame, PredictedGeometry
from motion4d.engine.once import write_once
from motion4d.engine.segment import describe_model
from motion4d.engine.stopwatch import Stopwatch, log_progress
from motion4d.io.array_stream import stream_arrays
from motion4d.io.depth_maps import DepthMap, maps_in
from motion4d.io.files import write_text
from motion4d.io.frames import ImageFrames
from motion4d.io.tum_files import read_poses, write_poses

DEPTH, TRAJECTORY, INTRINSICS = "depth.npz", "trajectory.txt", "intrinsics.txt"


def write_prediction(
    inference: GeometryInference, model: str, frames: ImageFrames, folder: Path, stamps: Sequence[float] | None
) -> None:
    """Fill folder/SEQUENCE with what the model says of `frames`, unless it was finished with the same settings.

    stamps: seconds, one per frame; None: frame numbers.
    """
    frames.check()

    def write(hidden: Path, watch: Stopwatch) -> None:
        said = watch.each("model", inference.stream(model, watch.each("reading", frames)))
        write_frames(hidden, log_progress(said, frames.folder, frames.length), frames.stems, stamps)

    def is_complete(target: Path) -> bool:
        return all((target / name).is_file() for name in (DEPTH, TRAJECTORY))

    settings = _settings(inference, model, frames)
    write_once(folder, frames.folder, settings, write, frames=frames.length, is_complete=is_complete)


def write_frames(
    folder: Path, said: Iterator[PredictedFrame], stems: Sequence[str], stamps: Sequence[float] | None
) -> None:
    """Write a sequence's files as its frames come."""
    poses, intrinsics = [], []
    with stream_arrays(folder / DEPTH) as file:
        for stem, frame in zip(stems, said, strict=True):
            file.add(stem, frame.depth)
            poses.append(frame.camera_to_world)
            intrinsics.append(frame.intrinsics[(0, 1, 0, 1), (0, 1, 2, 2)])
    write_poses(folder / TRAJECTORY, range(len(poses)) if stamps is None else stamps, np.stack(poses))
    rows = (" ".join(f"{number:.9g}" for number in row) for row in intrinsics)
    write_text(folder / INTRINSICS, "# fx fy cx cy\n" + "".join(f"{row}\n" for row in rows))


def predicted_maps(folder: Path) -> list[DepthMap]:
    """The depth of one sequence's folder."""
    return maps_in(folder / DEPTH)


def read_prediction(folder: Path) -> PredictedGeometry:
    """Everything of one sequence's folder."""
    depth = tuple(np.asarray(one.read(), np.float32) for one in predicted_maps(folder))
    return PredictedGeometry(depth, read_poses(folder / TRAJECTORY)[1])


def _settings(inference: GeometryInference, model: str, frames: ImageFrames) -> Mapping[str, Any]:
    """Everything that the files depend on."""
    return {
        **identity(frames),
        "images": frames.length,
        "window": asdict(inference.inference.window),
        "one_by_one": inference.one_by_one,
        "world_z": inference.world_z,
        "framing": repr(inference.framing),
        "precision": "bf16" if inference.inference.runtime.is_bf16 else "fp32",
        "model": describe_model(inference.inference.models[model]),
    }
