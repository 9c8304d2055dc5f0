"""NYU Depth v2 (Silberman et al. 2012), the official 654 test images, as prepared:

    ROOT/images/00001.png
    ROOT/depth/00001.npy          [H, W] in metres, 0 = none

Every image is a sequence of its own. No cameras. No torch.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.depth_files import read_depth_npy
from motion4d.layouts.folders import images_in
from motion4d.layouts.frame_files import beside, depth_from, frames_in, refuse_more
from motion4d.layouts.geometry import GeometryFiles

PREPARE = "python -m prepare.nyu --source DOWNLOADED"
IMAGES, DEPTH = "images", "depth"
PUBLISHED = 654


def nyu_depth(root: str | Path) -> list[GeometryFiles]:
    """Every image below `root`; a FileNotFoundError names what is missing and the command that brings it."""
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    images = frames_in(root / IMAGES, "NYU Depth v2", prepare=prepare)
    refuse_more(beside(images, root / DEPTH, ".npy", "depth", prepare=prepare), prepare=prepare)
    return [sequence_files(root, image.stem, prepare=prepare) for image in images]


def sequence_files(root: Path, name: str, *, prepare: str = PREPARE) -> GeometryFiles:
    """One image with its depth. Errors as above."""
    image = root / IMAGES / f"{name}.png"
    if not image.is_file():
        raise FileNotFoundError(f"there is no {image}; run: {prepare}")
    depth = beside([image], root / DEPTH, ".npy", "depth", prepare=prepare)
    return GeometryFiles(name, (image,), depth_from(depth, read_depth_npy))


def names(root: Path) -> list[str]:
    """The images that are there."""
    return [image.stem for image in images_in(root / IMAGES)]
