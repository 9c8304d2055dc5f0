"""TartanAir (Wang et al. 2020), as downloaded:

    ROOT/SCENE/{Easy,Hard}/P000/image_left/000000_left.png
    ROOT/SCENE/{Easy,Hard}/P000/depth_left/000000_left_depth.npy   metres
    ROOT/SCENE/{Easy,Hard}/P000/pose_left.txt                      a row of tx ty tz qx qy qz qw per frame

Poses are camera_to_world with axes forward, right, down (NED); they become right, down, forward. One camera took all
images. A sequence is called SCENE/Hard/P000. No torch.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.arrays import read_array
from motion4d.io.tum_files import pose_matrices
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import beside, depth_from, frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import listed

PREPARE = "python -m prepare.tartanair --source DOWNLOADED"
LEVELS = ("Easy", "Hard")
IMAGES, DEPTH, POSES = "image_left", "depth_left", "pose_left.txt"
SIZE = (480, 640)  # H, W
INTRINSICS = np.array([[320.0, 0, 320], [0, 320.0, 240], [0, 0, 1]])
OPENCV = (1, 2, 0)  # which axes of forward, right, down are right, down, forward
_NUMBERS = [*OPENCV, *(3 + axis for axis in OPENCV), 6]  # of a row


def tartanair(root: str | Path, level: str = "Hard") -> list[GeometryFiles]:
    """All sequences of a level of difficulty; a FileNotFoundError names the command if there are none."""
    if level not in LEVELS:
        raise ValueError(f"TartanAir has the levels {' and '.join(LEVELS)}, not {level!r}")
    return listed(
        GeometryFiles, Path(root), partial(names, levels=(level,)), sequence_files, prepare=f"{PREPARE} --level {level}"
    )


def names(root: Path, levels: tuple[str, ...] = LEVELS) -> list[str]:
    """The sequences that have images."""
    found = [
        f"{scene}/{level}/{name}"
        for scene in folder_names(root)
        for level in levels
        for name in folder_names(root / scene / level)
    ]
    return [name for name in found if (root / name / IMAGES).is_dir()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One sequence; every frame has depth. A FileNotFoundError names what is missing."""
    folder = root / name
    images = frames_in(folder / IMAGES, name, prepare=PREPARE)
    depth = beside(images, folder / DEPTH, "_depth.npy", "depth", prepare=PREPARE)
    return GeometryFiles(
        name, images, depth_from(depth, _read_depth), partial(read_cameras, folder / POSES, len(images))
    )


def read_cameras(path: Path, frames: int) -> Cameras:
    """The cameras of that many frames; a ValueError for a file with other lines, or with fewer or more of them."""
    try:
        numbers = np.loadtxt(path, np.float64, ndmin=2)
        poses = pose_matrices(numbers[:, _NUMBERS])
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} does not hold lines of tx ty tz qx qy qz qw ({error}); restore it") from error
    if len(poses) != frames:
        raise ValueError(f"{path} has {len(poses)} poses, but there are {frames} frames; restore what is missing")
    return Cameras(poses, np.tile(INTRINSICS, (frames, 1, 1)))


def _read_depth(path: Path) -> NDArray[np.float32]:
    depth = read_array(path)
    if depth.ndim != 2 or depth.dtype.kind != "f":
        raise ValueError(f"{path} is no depth map: it holds {depth.dtype} of shape {depth.shape}; restore it")
    return depth.astype(np.float32)
