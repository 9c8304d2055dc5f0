"""PointOdyssey (Zheng et al. 2023), as downloaded:

    ROOT/{train,val,test}/SEQUENCE/rgbs/rgb_00000.jpg
    ROOT/{train,val,test}/SEQUENCE/depths/depth_00000.png     16-bit grey, 65535 = 1000 m
    ROOT/{train,val,test}/SEQUENCE/anno.npz                   intrinsics, extrinsics (world_to_camera)

A sequence is called SPLIT/SEQUENCE. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.arrays import read_arrays
from motion4d.io.depth_files import read_depth_png
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import depth_from, frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import listed
from motion4d.layouts.same_number import number_of, same_number

PREPARE = "python -m prepare.point_odyssey --source DOWNLOADED"
SPLITS = ("train", "val", "test")
IMAGES, DEPTH, CAMERAS = "rgbs", "depths", "anno.npz"
PER_METRE = 65.535  # units of the depth files


def point_odyssey(root: str | Path, split: str = "train") -> list[GeometryFiles]:
    """All sequences of a split; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), partial(names, splits=(split,)), sequence_files, prepare=PREPARE)


def names(root: Path, splits: Sequence[str] = SPLITS) -> list[str]:
    """The sequences that have images."""
    found = [f"{split}/{name}" for split in splits for name in folder_names(root / split)]
    return [name for name in found if (root / name / IMAGES).is_dir()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One sequence; every frame has depth. A FileNotFoundError names what is missing."""
    folder = root / name
    images = frames_in(folder / IMAGES, name, prepare=PREPARE)
    depth = same_number(images, folder / DEPTH, ".png", "depth", prepare=PREPARE)
    numbers = [number_of(image.stem) for image in images]
    return GeometryFiles(
        name,
        images,
        depth_from(depth, partial(read_depth_png, per_unit=PER_METRE)),
        partial(read_cameras, folder / CAMERAS, numbers),
    )


def read_cameras(path: Path, numbers: Sequence[int]) -> Cameras:
    """The cameras of these frames; a ValueError if the file has fewer."""
    intrinsics, world_to_camera = (part.astype(np.float64) for part in read_arrays(path, ("intrinsics", "extrinsics")))
    if max(numbers) >= min(len(intrinsics), len(world_to_camera)):
        raise ValueError(f"{path} has {len(world_to_camera)} cameras, but there is a frame {max(numbers)}")
    camera_to_world = np.linalg.inv(world_to_camera[numbers]).astype(np.float64)
    return Cameras(camera_to_world, intrinsics[numbers])
