"""CO3D (Reizenstein et al. 2021), static objects, as `python -m prepare.co3d` leaves it:

    ROOT/{train,test}/CATEGORY/SEQUENCE/images/frame000001.jpg
    ROOT/{train,test}/CATEGORY/SEQUENCE/depths/frame000001.jpg.geometric.png     the bits of float16, z
    ROOT/{train,test}/CATEGORY/SEQUENCE/depth_masks/frame000001.png              brighter than half: depth is right
    ROOT/{train,test}/CATEGORY/SEQUENCE/cameras.npz                              see motion4d.layouts.camera_files

A sequence is called SPLIT/CATEGORY/SEQUENCE. Its depth is sparse enough that resizing moves points. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.float_images import read_half_png
from motion4d.io.labels import read_labels
from motion4d.layouts.camera_files import FILE, read_cameras
from motion4d.layouts.folders import folder_names, some
from motion4d.layouts.frame_files import frames_in
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.listing import listed

PREPARE = "python -m prepare.co3d --source DOWNLOADED ANNOTATIONS"
SPLITS = ("train", "test")
IMAGES, DEPTH, MASKS = "images", "depths", "depth_masks"
DEPTH_SUFFIX = ".geometric.png"
TRUSTED = 128  # a mask's value above which depth is


def co3d(root: str | Path, split: str = "train", categories: Sequence[str] | None = None) -> list[GeometryFiles]:
    """All sequences of a split, of these categories or of all; a FileNotFoundError if there are none."""
    return listed(Path(root), partial(names, splits=(split,), categories=categories), sequence_files, prepare=PREPARE)


def names(root: Path, splits: Sequence[str] = SPLITS, categories: Sequence[str] | None = None) -> list[str]:
    """The sequences that are complete."""
    found = [
        f"{split}/{category}/{name}"
        for split in splits
        for category in categories or folder_names(root / split)
        for name in folder_names(root / split / category)
    ]
    return [name for name in found if (root / name / FILE).is_file()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One sequence; every frame has depth and its mask. A FileNotFoundError names what is missing."""
    folder = root / name
    images = frames_in(folder / IMAGES, name, prepare=PREPARE)
    _check_beside([depth_file(folder, image) for image in images], "depth")
    _check_beside([mask_file(folder, image) for image in images], "depth mask")
    cameras = partial(read_cameras, folder / FILE, [image.stem for image in images])
    return GeometryFiles(name, images, partial(_read_depth, folder, images), cameras, sparse=True)


def depth_file(folder: Path, image: Path) -> Path:
    """The depth of an image of a sequence's folder."""
    return folder / DEPTH / f"{image.name}{DEPTH_SUFFIX}"


def mask_file(folder: Path, image: Path) -> Path:
    """The mask of that depth."""
    return folder / MASKS / f"{image.stem}.png"


def _check_beside(files: Sequence[Path], what: str) -> None:
    """A FileNotFoundError names the frames that lack their `what`; one look into the folder, for millions of frames."""
    folder = files[0].parent
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    missing = [file.name for file in files if file.name not in present]
    if missing:
        raise FileNotFoundError(f"frames lack their {what} in {folder}: {some(missing)}; run: {PREPARE}")


def _read_depth(folder: Path, images: Sequence[Path], frame: int) -> NDArray[np.float32]:
    depth = read_half_png(depth_file(folder, images[frame]))
    mask = read_labels(mask_file(folder, images[frame]))
    if mask.shape != depth.shape:
        raise ValueError(f"{mask_file(folder, images[frame])} has another size than the depth that it is of")
    return np.where((mask > TRUSTED) & np.isfinite(depth), depth, np.float32(0))
