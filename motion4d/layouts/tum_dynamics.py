"""The sequences of TUM RGB-D (Sturm et al. 2012) with people in them, as prepared:

    ROOT/SEQUENCE/rgb_90/STAMP.png
    ROOT/SEQUENCE/depth_90/STAMP.png          16 bit, 5000 per metre, named like its image; may be missing
    ROOT/SEQUENCE/groundtruth_90.txt          a row of stamp tx ty tz qx qy qz qw per image
    ROOT/SEQUENCE/associations_90.txt         number, image, depth or -, and pose stamp of the source

Poses are camera_to_world with OpenCV axes. Intrinsics are the published evaluation's: the default of the device, not
this camera's calibration. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.depth_files import read_depth_png
from motion4d.io.images import image_size
from motion4d.io.tum_files import read_poses
from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import some_missing
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import each_sequence
from motion4d.layouts.numbered import holds_selected, selected, stamped_frames

PREPARE = "python -m prepare.tum --source DOWNLOADED"
SEQUENCES = tuple(
    f"rgbd_dataset_freiburg3_{people}_{camera}"
    for people in ("sitting", "walking")
    for camera in ("halfsphere", "rpy", "static", "xyz")
)
PER_METRE = 5000.0
SIZE = (480, 640)  # H, W of the device's images
INTRINSICS = np.array([[525.0, 0, 319.5], [0, 525.0, 239.5], [0, 0, 1]])
ASSOCIATIONS, NO_DEPTH = "associations_*.txt", "-"


def tum_dynamics(root: str | Path, sequences: str | Sequence[str] = PUBLISHED) -> list[GeometryFiles]:
    """The sequences below `root`: the published eight, "all" that are there, or those named.

    A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    chosen = chosen_names(sequences, SEQUENCES, root, title="TUM-dynamics", prepare=prepare)
    return each_sequence(GeometryFiles, chosen, lambda name: sequence_files(root, name, prepare=prepare))


def sequence_files(root: Path, name: str, *, prepare: str = PREPARE) -> GeometryFiles:
    """One sequence; every frame has a pose, and depth unless the associations say that it has none."""
    folder = root / name
    number = selected(folder, ASSOCIATIONS, prepare=prepare)
    images = stamped_frames(folder / f"rgb_{number}", name, prepare=prepare)
    lacking = _without_depth(folder / f"associations_{number}.txt", images, prepare=prepare)
    depth = [None if image.name in lacking else folder / f"depth_{number}" / f"{image.stem}.png" for image in images]
    some_missing([file for file in depth if file], "depth", prepare=prepare)
    return GeometryFiles(
        name,
        images,
        partial(read_depth, depth, images[0]),
        partial(read_cameras, folder / f"groundtruth_{number}.txt", len(images)),
        timestamps=tuple(float(image.stem) for image in images),
    )


def read_depth(files: Sequence[Path | None], image: Path, frame: int) -> NDArray[np.float32]:
    """z in metres; of the size of `image` and 0 everywhere if the frame has no depth."""
    file = files[frame]
    return np.zeros(image_size(image), np.float32) if file is None else read_depth_png(file, per_unit=PER_METRE)


def read_cameras(groundtruth: Path, frames: int) -> Cameras:
    """The cameras of a prepared list of poses."""
    return Cameras(read_poses(groundtruth)[1], np.tile(INTRINSICS, (frames, 1, 1)))


def names(root: Path) -> list[str]:
    """The prepared sequences."""
    return [name for name in folder_names(root) if holds_selected(root / name, ASSOCIATIONS)]


def _without_depth(associations: Path, images: Sequence[Path], *, prepare: str) -> set[str]:
    """Names of the images that have no depth; a ValueError if the file speaks of other images."""
    lines = associations.read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    listed = [Path(row[1]).name for row in rows if len(row) == 4]
    if sorted(listed) != sorted(image.name for image in images) or len(rows) != len(listed):
        raise ValueError(f"{associations} and the images do not agree; remove {associations.parent} and run: {prepare}")
    return {Path(row[1]).name for row in rows if row[2] == NO_DEPTH}
