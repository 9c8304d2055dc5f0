"""Waymo Open (Sun et al. 2020), front camera, as `python -m prepare.waymo` leaves it:

    ROOT/SEGMENT/images/000000.jpg
    ROOT/SEGMENT/points/000000.npy     [P, 3] float32: column, row and z of the LiDAR points in this image
    ROOT/SEGMENT/cameras.npz           see motion4d.layouts.camera_files

Images are as recorded: their distortion is not undone. Depth is there where a LiDAR point is. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.arrays import read_array
from motion4d.io.images import image_size
from motion4d.layouts.camera_files import FILE, read_cameras
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import beside, frames_in
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.listing import listed

PREPARE = "python -m prepare.waymo --source DOWNLOADED"
IMAGES, POINTS = "images", "points"


def waymo(root: str | Path) -> list[GeometryFiles]:
    """All segments; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """The segments that are complete."""
    return [name for name in folder_names(root) if (root / name / FILE).is_file()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One segment; every frame has points. A FileNotFoundError names what is missing."""
    folder = root / name
    images = frames_in(folder / IMAGES, name, prepare=PREPARE)
    points = beside(images, folder / POINTS, ".npy", "LiDAR points", prepare=PREPARE)
    cameras = partial(read_cameras, folder / FILE, [image.stem for image in images])
    return GeometryFiles(name, images, partial(_read_depth, images, points), cameras, sparse=True)


def _read_depth(images: Sequence[Path], points: Sequence[Path], frame: int) -> NDArray[np.float32]:
    values = read_array(points[frame])
    if values.ndim != 2 or values.shape[1] != 3:
        raise ValueError(f"{points[frame]} holds an array of the shape {values.shape}, but points are [P, 3]")
    return depth_of_points(values.astype(np.float64), image_size(images[frame]))


def depth_of_points(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float32]:
    """Points (column, row, z) [P, 3] -> [H, W]: each at its rounded pixel, the nearest wins, 0 where there is none."""
    columns, rows = (np.rint(points[:, axis]).astype(int) for axis in (0, 1))
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1]) & (points[:, 2] > 0)
    depth = np.full(size, np.inf, np.float32)
    np.minimum.at(depth, (rows[inside], columns[inside]), points[inside, 2].astype(np.float32))
    depth[np.isinf(depth)] = 0
    return depth
