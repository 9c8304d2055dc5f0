"""cameras.npz: what `prepare` leaves of a sequence's cameras where the download has one file for all sequences.

frames [N]: stems of the images; camera_to_world [N, 4, 4] and intrinsics [N, 3, 3] as motion4d.clip has them. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motion4d.io.arrays import read_arrays, save_arrays
from motion4d.layouts.folders import some
from motion4d.layouts.geometry import Cameras

FILE = "cameras.npz"


def read_cameras(path: Path, stems: Sequence[str]) -> Cameras:
    """The cameras of these frames; a ValueError names those that have none."""
    frames, poses, intrinsics = read_arrays(path, ("frames", "camera_to_world", "intrinsics"))
    rows = {stem: row for row, stem in enumerate(frames.tolist())}
    missing = [stem for stem in stems if stem not in rows]
    if missing:
        raise ValueError(f"{path} has no camera of {some(missing)}; prepare the data set again")
    chosen = [rows[stem] for stem in stems]
    return Cameras(poses[chosen].astype(np.float64), intrinsics[chosen].astype(np.float64))


def write_cameras(path: Path, stems: Sequence[str], cameras: Cameras) -> None:
    """Write the cameras of these frames; both parts must be known."""
    poses, intrinsics = cameras.camera_to_world, cameras.intrinsics
    if poses is None or intrinsics is None:
        raise ValueError(f"{path} cannot be written: poses or intrinsics are not known")
    save_arrays(path, frames=np.array(stems), camera_to_world=poses, intrinsics=intrinsics)
