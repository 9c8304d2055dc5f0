"""All sequences of a root, for layouts that list what is there instead of a published list of names. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from motion4d.layouts.sequence import SequenceFiles


def listed(
    root: Path, names: Callable[[Path], list[str]], sequence: Callable[[Path, str], SequenceFiles], *, prepare: str
) -> list[SequenceFiles]:
    """Every sequence below `root`; a FileNotFoundError that names the command `prepare` if there are none."""
    if not root.exists():
        raise FileNotFoundError(f"there is no {root}; run: {prepare} --root {root}")
    found = [sequence(root, name) for name in names(root)]
    if not found:
        raise FileNotFoundError(f"{root} holds no sequences of frames with masks; run: {prepare} --root {root}")
    return found
