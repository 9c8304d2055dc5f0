"""GOT-10k train videos with motion masks: ROOT/SEQUENCE/images/FRAME.jpg and ROOT/SEQUENCE/masks/FRAME.png."""

from __future__ import annotations

from pathlib import Path

from motion4d.layouts.folders import folder_names, paired
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.got10k --source DOWNLOADED"


def got10k(root: str | Path) -> list[SequenceFiles]:
    """All sequences; a FileNotFoundError names the command if there are none."""
    return listed(SequenceFiles, Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """Of the sequences that have both folders."""
    return [name for name in folder_names(root) if all((root / name / part).is_dir() for part in ("images", "masks"))]


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One sequence; not every frame needs a mask."""
    return paired(name, root / name / "images", root / name / "masks", prepare=PREPARE, sparse=True)
