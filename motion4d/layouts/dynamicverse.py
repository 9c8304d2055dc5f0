"""DynamicVerse: at any depth below ROOT, SCENE/rgb/FRAME.jpg and SCENE/mask/FRAME.png.

Our own pipeline for such data sets writes the same two folders.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.layouts.folders import paired
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.dynamicverse --source DOWNLOADED"
IMAGES, MASKS = "rgb", "mask"


def dynamicverse(root: str | Path) -> list[SequenceFiles]:
    """All scenes; a FileNotFoundError names the command if there are none."""
    return listed(SequenceFiles, Path(root), names, sequence_files, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """Paths below the root of the scenes that have both folders."""
    found = [mask.parent for mask in root.glob(f"**/{MASKS}") if mask.is_dir() and (mask.parent / IMAGES).is_dir()]
    return sorted((scene.relative_to(root).as_posix() for scene in found), key=natural_key)


def sequence_files(root: Path, name: str) -> SequenceFiles:
    """One scene; not every frame needs a mask."""
    return paired(name, root / name / IMAGES, root / name / MASKS, prepare=PREPARE, sparse=True)
