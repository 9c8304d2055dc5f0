"""RLBench episodes as recorded: a camera that stands still has the pose of a clip's first frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.arrays import save_arrays
from motion4d.io.files import write_json
from motion4d.io.images import write_image
from motion4d.layouts.rlbench import PARAMETERS, depths, frames
from prepare.export.geometry import truth_of


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`, each as the only episode of its task, seen by the front camera."""
    for clip in clips:
        truth = truth_of(clip)
        task = folder / "rlbench" / truth.name
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(task / "episode0" / frames("front") / f"{frame}.jpg", picture)
            save_arrays(task / "episode0" / depths("front") / f"{frame}.npz", arr_0=depth)
        world_to_camera = np.linalg.inv(truth.camera_to_world[0])
        camera = {
            "Extrinsic": world_to_camera.tolist(),
            "Intrinsic": truth.intrinsics[0].tolist(),
        }
        write_json(task / PARAMETERS, {"front": camera})
