"""Spring (Mehl et al. 2023), training part, as downloaded (its archives put together):

    ROOT/train/SEQUENCE/frame_{left,right}/frame_left_0001.png
    ROOT/train/SEQUENCE/disp1_{left,right}/disp1_left_0001.dsp5     two samples per pixel and direction
    ROOT/train/SEQUENCE/cam_data/intrinsics.txt                     fx fy cx cy, one line per frame
    ROOT/train/SEQUENCE/cam_data/extrinsics.txt                     16 numbers, world_to_camera of the left eye

A sequence is called SEQUENCE/EYE. The right eye is BASELINE metres to the right of the left one. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.spring_files import read_dsp5
from motion4d.layouts.folders import folder_names
from motion4d.layouts.frame_files import frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.listing import listed
from motion4d.layouts.same_number import same_number

PREPARE = "python -m prepare.spring --source DOWNLOADED"
TRAINING, CAMERAS = "train", "cam_data"
EYES = ("left", "right")
BASELINE = 0.065  # metres


def spring(root: str | Path, eyes: Sequence[str] = EYES) -> list[GeometryFiles]:
    """All sequences as seen by these eyes; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), partial(names, eyes=eyes), sequence_files, prepare=PREPARE)


def names(root: Path, eyes: Sequence[str] = EYES) -> list[str]:
    """The sequences that have disparities."""
    found = [(name, eye) for name in folder_names(root / TRAINING) for eye in eyes]
    return [f"{name}/{eye}" for name, eye in found if (root / TRAINING / name / disparities(eye)).is_dir()]


def sequence_files(root: Path, name: str) -> GeometryFiles:
    """One sequence of one eye; every frame has depth. A FileNotFoundError names what is missing."""
    sequence, eye = name.rsplit("/", 1)
    folder = root / TRAINING / sequence
    images = frames_in(folder / frames(eye), name, prepare=PREPARE)
    depth = same_number(images, folder / disparities(eye), ".dsp5", "disparity", prepare=PREPARE)
    cameras = partial(read_cameras, folder / CAMERAS, eye, len(images))
    return GeometryFiles(name, images, _Depth(depth, cameras), cameras)


def frames(eye: str) -> str:
    """The folder of an eye's images."""
    return f"frame_{eye}"


def disparities(eye: str) -> str:
    """The folder of an eye's disparities."""
    return f"disp1_{eye}"


def read_cameras(folder: Path, eye: str, count: int) -> Cameras:
    """The cameras of all `count` frames of an eye; a ValueError if the lists are shorter."""
    rows = {name: _numbers(folder / f"{name}.txt", wanted) for name, wanted in (("intrinsics", 4), ("extrinsics", 16))}
    short = [name for name, lines in rows.items() if len(lines) < count]
    if short:
        raise ValueError(f"{folder / short[0]}.txt has {len(rows[short[0]])} lines for {count} frames")
    matrices = np.zeros((count, 3, 3))
    matrices[:, (0, 1, 0, 1), (0, 1, 2, 2)] = rows["intrinsics"][:count]
    matrices[:, 2, 2] = 1
    poses = np.linalg.inv(rows["extrinsics"][:count].reshape(-1, 4, 4)).astype(np.float64)
    if eye == "right":
        poses[:, :3, 3] += BASELINE * poses[:, :3, 0]
    return Cameras(poses, matrices)


@dataclass(frozen=True)
class _Depth:
    """Frame number -> z: every second sample of the disparity, as baseline * fx / disparity."""

    files: tuple[Path, ...]
    cameras: Callable[[], Cameras]

    @cached_property
    def focal(self) -> NDArray[np.float64]:
        matrices = self.cameras().intrinsics
        assert matrices is not None
        return matrices[:, 0, 0]

    def __call__(self, frame: int) -> NDArray[np.float32]:
        disparity = np.abs(read_dsp5(self.files[frame])[::2, ::2])
        known = np.isfinite(disparity) & (disparity > 0)
        depth = BASELINE * self.focal[frame] / np.where(known, disparity, 1)
        return np.where(known, depth, 0).astype(np.float32)


def _numbers(path: Path, wanted: int) -> NDArray[np.float64]:
    """[N, wanted]; a ValueError names a file with other lines."""
    try:
        numbers = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} does not hold lines of {wanted} numbers ({error})") from error
    if numbers.shape[1] != wanted:
        raise ValueError(f"{path} has lines of {numbers.shape[1]} numbers, not of {wanted}")
    return numbers
