"""KITTI's annotated depth (Uhrig et al. 2017), validation part, left colour camera, as prepared:

    ROOT/DRIVE/image_02/0000000005.png
    ROOT/DRIVE/depth_02/0000000005.png          16 bit, 256 per metre; accumulated LiDAR, so most pixels have none

Only annotated frames are there. Drives differ a little in size. No cameras. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from motion4d.io.depth_files import read_depth_png
from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import beside, depth_from, frames_in
from motion4d.layouts.geometry import GeometryFiles

PREPARE = "python -m prepare.kitti --source DOWNLOADED"
IMAGES, DEPTH = "image_02", "depth_02"
PER_METRE = 256.0
DRIVES = (
    *(f"2011_09_26_drive_{number}_sync" for number in ("0002", "0005", "0013", "0020", "0023", "0036", "0079")),
    *("2011_09_26_drive_0095_sync", "2011_09_26_drive_0113_sync", "2011_09_28_drive_0037_sync"),
    *("2011_09_29_drive_0026_sync", "2011_09_30_drive_0016_sync", "2011_10_03_drive_0047_sync"),
)


def kitti_depth(root: str | Path, sequences: str | Sequence[str] = PUBLISHED) -> list[GeometryFiles]:
    """The drives below `root`: the published 13, "all" that are there, or those named.

    A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    chosen = chosen_names(sequences, DRIVES, root, title="KITTI depth", prepare=prepare)
    return [sequence_files(root, name, prepare=prepare) for name in chosen]


def sequence_files(root: Path, name: str, *, prepare: str = PREPARE) -> GeometryFiles:
    """One drive; every frame has depth. Errors as above."""
    images = frames_in(root / name / IMAGES, name, prepare=prepare)
    depth = beside(images, root / name / DEPTH, ".png", "depth", prepare=prepare)
    return GeometryFiles(name, images, depth_from(depth, partial(read_depth_png, per_unit=PER_METRE)), sparse=True)


def names(root: Path) -> list[str]:
    """The drives that are there."""
    return [name for name in folder_names(root) if (root / name / IMAGES).is_dir()]
