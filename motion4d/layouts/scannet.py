"""ScanNet v2 (Dai et al. 2017), the test scenes on which camera poses are evaluated, as prepared:

    ROOT/SCENE/color_90/frame_0000.jpg        every third frame of the beginning
    ROOT/SCENE/pose_90.txt                    a camera_to_world of 16 numbers per row
    ROOT/SCENE/intrinsic_color.txt            4x4, for the colour images; may be missing

No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.layouts.folders import PUBLISHED, chosen_names, folder_names
from motion4d.layouts.frame_files import frames_in
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.layouts.numbered import holds_selected, selected

PREPARE = "python -m prepare.scannet --source EXPORTED"
SCENES = tuple(f"scene{number:04d}_00" for number in range(707, 807))
POSES, INTRINSICS = "pose_*.txt", "intrinsic_color.txt"


def scannet(root: str | Path, sequences: str | Sequence[str] = PUBLISHED) -> list[GeometryFiles]:
    """The scenes below `root`: the published 100, "all" that are there, or those named.

    A FileNotFoundError or ValueError names what is missing and the command that brings it.
    """
    root = Path(root)
    prepare = f"{PREPARE} --root {root}"
    chosen = chosen_names(sequences, SCENES, root, title="ScanNet", prepare=prepare)
    return [sequence_files(root, name, prepare=prepare) for name in chosen]


def sequence_files(root: Path, name: str, *, prepare: str = PREPARE) -> GeometryFiles:
    """One scene; every frame has a pose. Errors as above."""
    folder = root / name
    number = selected(folder, POSES, prepare=prepare)
    images = frames_in(folder / f"color_{number}", name, prepare=prepare)
    return GeometryFiles(name, images, cameras=partial(read_cameras, folder, f"pose_{number}.txt", len(images)))


def read_cameras(folder: Path, poses: str, frames: int) -> Cameras:
    """The poses of a prepared scene, and its intrinsics if they are there."""
    intrinsics = folder / INTRINSICS
    known = np.tile(read_matrices(intrinsics)[0, :3, :3], (frames, 1, 1)) if intrinsics.is_file() else None
    return Cameras(read_matrices(folder / poses), known)


def read_matrices(path: Path) -> NDArray[np.float64]:
    """Matrices [N, 4, 4] of a text file, in rows of 4 or 16 numbers; a ValueError names a file of something else."""
    try:
        return np.array(path.read_text(encoding="utf-8").split(), np.float64).reshape(-1, 4, 4)
    except ValueError as error:
        raise ValueError(f"{path} does not hold 4x4 matrices ({error})") from error


def names(root: Path) -> list[str]:
    """The prepared scenes."""
    return [name for name in folder_names(root) if holds_selected(root / name, POSES)]
