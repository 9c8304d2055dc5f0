"""Depth and cameras of Dynamic Replica (Karaev et al. 2023), beside what motion4d.layouts.dynamic_replica says of it:

    ROOT/SPLIT/SEQUENCE/images/SEQUENCE-0000.png
    ROOT/SPLIT/SEQUENCE/depths/SEQUENCE_0000.geometric.png     the bits of float16, metres
    ROOT/SPLIT/SEQUENCE/cameras.npz                            see motion4d.layouts.camera_files

The download has the cameras of a split in one file, frame_annotations_SPLIT.jgz; `prepare` takes it apart. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motion4d.io.float_images import read_half_png
from motion4d.layouts.camera_files import FILE, read_cameras
from motion4d.layouts.dynamic_replica import IMAGES, PREPARE, SPLITS
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import depth_from, frames_in
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.listing import listed
from motion4d.layouts.same_number import same_number

DEPTH, DEPTH_SUFFIX = "depths", ".geometric.png"
LEAST = 1e-5  # metres; nearer than this there is no depth


def dynamic_replica_geometry(root: str | Path, split: str = "train") -> list[GeometryFiles]:
    """All sequences of a split; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), partial(names, splits=(split,)), sequence_files, prepare=PREPARE)


def names(root: Path, splits: Sequence[str] = SPLITS) -> list[str]:
    """The sequences that have depth and cameras."""
    found = [f"{split}/{name}" for split in splits for name in folder_names(root / split)]
    return [name for name in found if is_complete(root, name)]


def is_complete(root: Path, name: str) -> bool:
    """Whether a sequence has depth and cameras."""
    return (root / name / DEPTH).is_dir() and (root / name / FILE).is_file()


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One sequence; every frame has depth. A FileNotFoundError names what is missing."""
    folder = root / name
    images = frames_in(folder / IMAGES, name, prepare=PREPARE)
    depth = same_number(images, folder / DEPTH, DEPTH_SUFFIX, "depth", prepare=PREPARE)
    cameras = partial(read_cameras, folder / FILE, [image.stem for image in images])
    return GeometryFiles(name, images, depth_from(depth, _read_depth), cameras)


def world_to_camera(rotation: ArrayLike, translation: ArrayLike) -> NDArray[np.float64]:
    """PyTorch3D's R [3, 3] (row vectors, x left, y up) and T [3] -> [4, 4], OpenCV."""
    axes = np.array([-1.0, -1.0, 1.0])
    pose = np.eye(4)
    pose[:3, :3] = (np.asarray(rotation, np.float64) * axes).T
    pose[:3, 3] = np.asarray(translation, np.float64) * axes
    return pose


def intrinsics_from_ndc(viewpoint: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.float64]:
    """PyTorch3D's focal_length and principal_point (x, y) -> [3, 3] for images of `size` (H, W).

    As there, the middle of the image is (W / 2, H / 2): pixels have their centres at halves. A ValueError if
    intrinsics_format is neither ndc_isotropic nor ndc_norm_image_bounds.
    """
    half = np.array([size[1], size[0]]) / 2
    kind = str(viewpoint["intrinsics_format"]).lower()
    if kind not in ("ndc_isotropic", "ndc_norm_image_bounds"):
        raise ValueError(f"cameras in the format {kind!r} are not known")
    scale = half if kind == "ndc_norm_image_bounds" else np.full(2, half.min())
    matrix = np.eye(3)
    matrix[(0, 1), (0, 1)] = np.asarray(viewpoint["focal_length"], np.float64) * scale
    matrix[:2, 2] = half - np.asarray(viewpoint["principal_point"], np.float64) * scale
    return matrix


def _read_depth(path: Path) -> NDArray[np.float32]:
    depth = read_half_png(path)
    return np.where(depth >= LEAST, depth, np.float32(0))
