"""DynamicVerse: at any depth below ROOT, SCENE/rgb/FRAME.jpg and SCENE/mask/FRAME.png.

Our own pipeline for such data sets writes the same two folders.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.layouts.folders import paired
from motion4d.layouts.listing import listed
from motion4d.layouts.sequence import SequenceFiles

PREPARE = "python -m prepare.dynamicverse"


def sequences(root: str | Path) -> list[SequenceFiles]:
    """All scenes; a FileNotFoundError names the command if there are none."""
    return listed(Path(root), names, sequence, prepare=PREPARE)


def names(root: Path) -> list[str]:
    """Paths below the root of the scenes that have both folders."""
    found = [mask.parent for mask in root.glob("**/mask") if mask.is_dir() and (mask.parent / "rgb").is_dir()]
    return sorted((scene.relative_to(root).as_posix() for scene in found), key=natural_key)


def sequence(root: Path, name: str) -> SequenceFiles:
    """One scene; not every frame needs a mask."""
    return paired(name, root / name / "rgb", root / name / "mask", prepare=PREPARE, sparse=True)
