"""HOI4D, every fourth frame: ROOT/images/SEQUENCE/FRAME.png and ROOT/dynamic_masks/SEQUENCE/FRAME.png.

The test videos of GeoMotion's training have the same layout.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.layouts.folders import folder_names, paired
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.hoi4d --source DOWNLOADED"
IMAGES, MASKS = "images", "dynamic_masks"


def hoi4d(root: str | Path) -> list[SequenceFiles]:
    """All sequences; a FileNotFoundError names the command if there are none."""
    return listed(SequenceFiles, Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """Of the sequences that have both folders."""
    return [name for name in folder_names(root / IMAGES) if (root / MASKS / name).is_dir()]


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; not every frame needs a mask."""
    return paired(name, root / IMAGES / name, root / MASKS / name, prepare=PREPARE, sparse=True)
