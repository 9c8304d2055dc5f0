"""Data sets that are read as they were downloaded: finding their splits, and placing folders as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from motion4d.layouts.folders import some
from prepare.dataset import Content, Files, find_root


def find_splits(sources: Sequence[Path], splits: Sequence[str], inner: str, *, what: str) -> dict[str, Path]:
    """Split -> its folder, for those that are there: a folder of the split's name with something that matches `inner`.

    A ValueError that names `what` if no split is there. They need not lie in one folder.
    """
    found: dict[str, Path] = {}
    for split in splits:
        pattern = f"{split}/{inner}"
        try:
            root = find_root(sources, lambda folder, pattern=pattern: any(folder.glob(pattern)), what=what)  # type: ignore[misc]
        except ValueError:
            continue
        found[split] = root / split
    if not found:
        looked = some([str(source) for source in sources])
        raise ValueError(f"there is no {what} in {looked}; name the folder that holds {' or '.join(splits)}")
    return found


def placed(folder: Path, target: str, *patterns: str) -> Files:
    """What matches the patterns below `folder`, at the same place below `target` (a path in the root)."""
    files: dict[str, Content] = {}
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            files[f"{target}/{path.relative_to(folder).as_posix()}"] = path
    return files
