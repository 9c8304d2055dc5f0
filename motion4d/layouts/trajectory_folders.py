"""Folders of camera trajectories from anyone, truth or predictions: one text file per sequence. No torch.

    FOLDER/SEQUENCE.txt, or FOLDER/SEQUENCE/NAME with NAME one of trajectory.txt (task=reconstruct, task=eval),
    pred_traj.txt (PAGE-4D, MonST3R), groundtruth.txt

A line is `stamp tx ty tz qx qy qz qw` (TUM's form), or with the scalar first: `stamp tx ty tz qw qx qy qz`. A folder
with such a NAME itself is one sequence of the folder's name; a file is one of its stem.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from motion4d.io.files import natural_key

NAMES = ("trajectory.txt", "pred_traj.txt", "groundtruth.txt")


def trajectory_files(folder: Path) -> Mapping[str, Path]:
    """Sequence -> file, in natural order; a FileNotFoundError if there are none."""
    if folder.is_file():
        return {folder.stem: folder}
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder or file {folder}")
    if own := _of_sequence(folder):
        return {folder.resolve().name: own}
    found: dict[str, Path] = {}
    for child in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if child.is_dir() and (file := _of_sequence(child)):
            found[child.name] = file
        elif child.suffix == ".txt":
            found[child.stem] = child
    if not found:
        raise FileNotFoundError(f"{folder} holds no trajectories (SEQUENCE.txt or SEQUENCE/{', '.join(NAMES)})")
    return found


def _of_sequence(folder: Path) -> Path | None:
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)
