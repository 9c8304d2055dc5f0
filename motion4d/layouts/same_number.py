"""Files that belong to frames by the number at the end of their names: rgb_00012.jpg and depth_00012.png. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from motion4d.layouts.folders import some


def same_number(images: Sequence[Path], folder: Path, suffix: str, what: str, *, prepare: str) -> tuple[Path, ...]:
    """For each image the file in `folder` of its number, among those whose names end in `suffix`.

    Files without an image are passed over. A FileNotFoundError names the frames that lack their `what`.
    """
    files = {number_of(file.name.removesuffix(suffix)): file for file in folder.glob(f"*{suffix}")}
    missing = [image.stem for image in images if number_of(image.stem) not in files]
    if missing:
        raise FileNotFoundError(f"frames lack their {what} in {folder}: {some(missing)}; run: {prepare}")
    return tuple(files[number_of(image.stem)] for image in images)


def number_of(stem: str) -> int:
    """The number at the end of a name; -1 if there is none."""
    found = re.search(r"\d+$", stem)
    return int(found.group()) if found else -1
