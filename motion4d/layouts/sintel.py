"""MPI Sintel (Butler et al. 2012), training part, images and depth archive put together:

    ROOT/training/{final,clean}/SEQUENCE/frame_0001.png
    ROOT/training/depth/SEQUENCE/frame_0001.dpt             z in metres, sky far away
    ROOT/training/camdata_left/SEQUENCE/frame_0001.cam      intrinsics and world_to_camera

Sequences have at most 50 frames. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.sintel_files import read_cam, read_dpt
from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import beside, depth_from, frames_in, refuse_more
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import each_sequence

PREPARE = "python -m prepare.sintel --source DOWNLOADED"
TRAINING, DEPTH, CAMERAS = "training", "depth", "camdata_left"
RENDERS = ("final", "clean")

FRAMES = {
    **{"alley_1": 50, "alley_2": 50, "ambush_2": 21, "ambush_4": 33, "ambush_5": 50, "ambush_6": 20, "ambush_7": 50},
    **{"bamboo_1": 50, "bamboo_2": 50, "bandage_1": 50, "bandage_2": 50, "cave_2": 50, "cave_4": 50, "market_2": 50},
    **{"market_5": 50, "market_6": 40, "mountain_1": 50, "shaman_2": 50, "shaman_3": 50, "sleeping_1": 50},
    **{"sleeping_2": 50, "temple_2": 50, "temple_3": 50},
}
POSE = (
    *("alley_2", "ambush_4", "ambush_5", "ambush_6", "cave_2", "cave_4", "market_2", "market_5", "market_6"),
    *("shaman_3", "sleeping_1", "sleeping_2", "temple_2", "temple_3"),
)
VIDEO_DEPTH = tuple(name for name in FRAMES if name != "market_5")  # PAGE-4D's average leaves it out


def _sintel(
    published: Sequence[str],
    title: str,
    root: str | Path,
    sequences: str | Sequence[str] = PUBLISHED,
    *,
    render: str = "final",
) -> list[GeometryFiles]:
    """The sequences below `root`: the `published` ones, "all" that are there, or those named.

    render: "final" or "clean". A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    if render not in RENDERS:
        raise ValueError(f"render={render} is none of Sintel's renderings: {', '.join(RENDERS)}")
    names_ = chosen_names(sequences, published, root / TRAINING / render, title=title, prepare=prepare)
    return each_sequence(GeometryFiles, names_, lambda name: sequence_files(root, name, render=render, prepare=prepare))


sintel = partial(_sintel, POSE, "Sintel")
sintel_depth = partial(_sintel, VIDEO_DEPTH, "Sintel")
sintel_whole = partial(_sintel, tuple(FRAMES), "Sintel")  # MonST3R has all of them


def sequence_files(root: Path, name: str, *, render: str = "final", prepare: str = PREPARE) -> GeometryFiles:
    """One sequence; every frame has depth and a camera. Errors as above."""
    training = root / TRAINING
    images = frames_in(training / render / name, name, prepare=prepare)
    depth = beside(images, training / DEPTH / name, ".dpt", "depth", prepare=prepare)
    cameras = beside(images, training / CAMERAS / name, ".cam", "camera", prepare=prepare)
    refuse_more(depth, prepare=prepare)
    return GeometryFiles(name, images, depth_from(depth, read_dpt), partial(read_cameras, cameras))


def read_cameras(files: Sequence[Path]) -> Cameras:
    """The cameras of these .cam files."""
    intrinsics, world_to_camera = zip(*map(read_cam, files), strict=True)
    return Cameras(np.linalg.inv(np.stack(world_to_camera)), np.stack(intrinsics))


def names(root: Path) -> list[str]:
    """The sequences that are there."""
    return folder_names(root / TRAINING / RENDERS[0])
