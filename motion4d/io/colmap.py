"""A reconstruction as COLMAP's text model: cameras.txt, images.txt, points3D.txt. No torch.

Every image has a camera of its own (PINHOLE: fx fy cx cy), because a network says one per frame. COLMAP puts the centre
of the upper left pixel at (0.5, 0.5), motion4d.clip at (0, 0); the principal point is moved accordingly. Poses are
world_to_camera there, quaternions begin with w. Points have no tracks: which images see them is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import write_text
from motion4d.io.ply import PointCloud
from motion4d.io.tum_files import pose_numbers


def write_colmap(
    folder: str | Path,
    names: Sequence[str],
    size: tuple[int, int],
    intrinsics: NDArray[np.floating],
    camera_to_world: NDArray[np.floating],
    cloud: PointCloud,
) -> None:
    """names of the image files; size (H, W) of all; intrinsics [N, 3, 3] in pixels; camera_to_world [N, 4, 4]."""
    folder = Path(folder)
    cameras = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[] (fx, fy, cx, cy)"]
    images = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME", "# POINTS2D[] as (X, Y, POINT3D_ID)"]
    poses = pose_numbers(np.linalg.inv(camera_to_world.astype(np.float64)))
    for number, (name, matrix, pose) in enumerate(zip(names, intrinsics, poses, strict=True), 1):
        focal_and_centre = (matrix[0, 0], matrix[1, 1], matrix[0, 2] + 0.5, matrix[1, 2] + 0.5)
        cameras.append(f"{number} PINHOLE {size[1]} {size[0]} {_text(focal_and_centre)}")
        images += [f"{number} {_text((pose[6], *pose[3:6], *pose[:3]))} {number} {name}", ""]
    points = ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)"]
    for number, (point, colour) in enumerate(zip(cloud.points, cloud.colours, strict=True), 1):
        points.append(f"{number} {_text(point)} {colour[0]} {colour[1]} {colour[2]} 0")
    for file, lines in (("cameras", cameras), ("images", images), ("points3D", points)):
        write_text(folder / f"{file}.txt", "\n".join(lines) + "\n")


def _text(numbers: Sequence[float] | NDArray[np.floating]) -> str:
    return " ".join(f"{number:.9g}" for number in numbers)
