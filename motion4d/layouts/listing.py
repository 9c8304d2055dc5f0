"""All sequences of a root, for layouts that list what is there instead of a published list of names. No torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Files = TypeVar("Files")


def listed(
    root: Path, names: Callable[[Path], list[str]], sequence: Callable[[Path, str], Files], *, prepare: str
) -> list[Files]:
    """Every sequence below `root`; a FileNotFoundError that names the command `prepare` if there are none."""
    if not root.exists():
        raise FileNotFoundError(f"there is no {root}; run: {prepare} --root {root}")
    found = [sequence(root, name) for name in names(root)]
    if not found:
        raise FileNotFoundError(f"{root} holds no complete sequences; run: {prepare} --root {root}")
    return found
