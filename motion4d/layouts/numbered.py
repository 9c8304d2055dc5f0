"""Sequences of which a published number of frames was selected: rgb_90, depth_90, groundtruth_90.txt. No torch.

The number is that of the preparation, so a layout takes the one that is there.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.files import natural_key


def selected(folder: Path, file: str, *, prepare: str) -> str:
    """The number N of the only FOLDER/`file` with N in place of *.

    A FileNotFoundError if there is none, a ValueError if there are several.
    """
    before, after = file.split("*")
    found = sorted((path.name for path in folder.glob(file)), key=natural_key)
    if not found:
        raise FileNotFoundError(f"{folder.name} is not prepared: there is no {folder / file}; run: {prepare}")
    if len(found) > 1:
        raise ValueError(f"{folder} is prepared more than once ({', '.join(found)}); keep one, or use another --root")
    return found[0].removeprefix(before).removesuffix(after)


def holds_selected(folder: Path, file: str) -> bool:
    """Whether there is any FOLDER/`file`."""
    return any(folder.glob(file))
