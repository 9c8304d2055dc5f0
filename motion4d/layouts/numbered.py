"""Sequences of which a published number of frames was selected: rgb_90, depth_90, groundtruth_90.txt. No torch.

The number is that of the preparation, so a layout takes the one that is there. Frames are named by their time.
"""

from __future__ import annotations

from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.layouts.frame_files import frames_in


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


def stamped_frames(folder: Path, name: str, *, prepare: str) -> tuple[Path, ...]:
    """The images in a folder, each named by its time in seconds, in the order of time; errors as `frames_in`."""
    images = frames_in(folder, name, prepare=prepare)
    try:
        return tuple(sorted(images, key=lambda image: float(image.stem)))
    except ValueError:
        raise ValueError(f"{name}: not all files in {folder} are named by a time stamp, such as {images[0]}") from None
