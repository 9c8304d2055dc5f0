"""Dynamic Replica: ROOT/SPLIT/SEQUENCE/images/FRAME.png and ROOT/SPLIT/SEQUENCE/dynamic_masks/FRAME.png.

A sequence is called SPLIT/SEQUENCE; left and right views are sequences of their own. The official download has the
images; the masks are made of its instance ids and trajectories.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from motion4d.layouts.folders import folder_names, paired
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.dynamic_replica --source DOWNLOADED"
SPLITS = ("train", "valid", "test")
IMAGES, MASKS = "images", "dynamic_masks"


def dynamic_replica(root: str | Path, split: str = "train") -> list[SequenceFiles]:
    """All sequences of a split; a FileNotFoundError names the command if there are none."""
    return listed(SequenceFiles, Path(root), partial(names, splits=(split,)), sequence_files, prepare=PREPARE)


def names(root: Path, splits: tuple[str, ...] = SPLITS) -> list[str]:
    """Of the sequences that have both folders."""
    found = [f"{split}/{name}" for split in splits for name in folder_names(root / split)]
    return [name for name in found if all((root / name / part).is_dir() for part in (IMAGES, MASKS))]


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; not every frame needs a mask."""
    return paired(name, root / name / IMAGES, root / name / MASKS, prepare=PREPARE, sparse=True)
