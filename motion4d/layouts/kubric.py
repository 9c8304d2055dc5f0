"""Kubric's MOVi scenes (Greff et al. 2022), as its renderer writes them:

    ROOT/SCENE/rgba_00000.png
    ROOT/SCENE/depth_00000.tiff     float32, distance from the camera's centre
    ROOT/SCENE/metadata.json        camera: positions, quaternions, field_of_view

Quaternions are w x y z, camera_to_world, with OpenGL axes. The field of view is the horizontal one, pixels are square.
No torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from motion4d.io.files import read_json
from motion4d.io.float_images import read_float_tiff
from motion4d.io.images import image_size
from motion4d.layouts.folders import folder_names
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import listed
from motion4d.layouts.same_number import number_of, same_number

PREPARE = "python -m prepare.kubric --source DOWNLOADED"
IMAGES, DEPTH, METADATA = "rgba_*.png", "depth_*.tiff", "metadata.json"


def kubric(root: str | Path) -> list[GeometryFiles]:
    """All scenes; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """The scenes."""
    return [name for name in folder_names(root) if (root / name / METADATA).is_file()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One scene; every frame has depth. A FileNotFoundError names what is missing."""
    folder = root / name
    images = tuple(sorted(folder.glob(IMAGES)))
    if not images:
        raise FileNotFoundError(f"{name} has no frames {IMAGES} in {folder}; run: {PREPARE}")
    depth = same_number(images, folder, ".tiff", "depth", prepare=PREPARE)
    numbers = [number_of(image.stem) for image in images]
    cameras = partial(read_cameras, folder / METADATA, images[0], numbers)
    return GeometryFiles(name, images, _Depth(depth, folder / METADATA), cameras)


def read_cameras(metadata: Path, image: Path, numbers: Sequence[int]) -> Cameras:
    """The cameras of these frames, whose images have the size of `image`; a ValueError if some are missing."""
    camera = _camera(metadata)
    poses = camera_to_world(camera["positions"], camera["quaternions"])
    if max(numbers) >= len(poses):
        raise ValueError(f"{metadata} has {len(poses)} cameras, but there is a frame {max(numbers)}")
    matrix = intrinsics(float(camera["field_of_view"]), image_size(image))
    return Cameras(poses[numbers], np.repeat(matrix[None], len(numbers), 0))


def camera_to_world(positions: ArrayLike, quaternions: ArrayLike) -> NDArray[np.float64]:
    """Positions [N, 3] and quaternions w x y z [N, 4] of any length, OpenGL axes -> [N, 4, 4] with OpenCV axes."""
    poses = np.repeat(np.eye(4)[None], len(np.asarray(positions)), 0)
    turned = Rotation.from_quat(np.asarray(quaternions, np.float64), scalar_first=True).as_matrix()
    poses[:, :3, :3] = turned @ np.diag([1.0, -1.0, -1.0])
    poses[:, :3, 3] = positions
    return poses


def intrinsics(field_of_view: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Horizontal field of view in radians and (H, W) -> [3, 3]."""
    height, width = size
    focal = width / 2 / math.tan(field_of_view / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def ray_lengths(size: tuple[int, int], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """[H, W]: how long a ray is where its z is 1."""
    y = (np.arange(size[0]) - matrix[1, 2]) / matrix[1, 1]
    x = (np.arange(size[1]) - matrix[0, 2]) / matrix[0, 0]
    return np.sqrt(1 + x**2 + y[:, None] ** 2)


@dataclass(frozen=True)
class _Depth:
    """Frame number -> z; the files hold distances."""

    files: tuple[Path, ...]
    metadata: Path

    @cached_property
    def field_of_view(self) -> float:
        return float(_camera(self.metadata)["field_of_view"])

    def __call__(self, frame: int) -> NDArray[np.float32]:
        distance = read_float_tiff(self.files[frame])
        matrix = intrinsics(self.field_of_view, distance.shape)
        return (distance / ray_lengths(distance.shape, matrix)).astype(np.float32)


def _camera(metadata: Path) -> dict[str, Any]:
    """The part about the camera; a ValueError names what it lacks."""
    content = read_json(metadata)
    camera = content.get("camera", {}) if isinstance(content, dict) else {}
    missing = {"positions", "quaternions", "field_of_view"} - camera.keys()
    if missing:
        raise ValueError(f"{metadata} says nothing of the camera's {', '.join(sorted(missing))}")
    return dict(camera)
