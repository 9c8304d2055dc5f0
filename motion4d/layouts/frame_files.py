"""What layouts with depth and cameras share: the frames of a folder, and files that belong to each of them. No torch.

Every error names the `python -m prepare.NAME` command that brings what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.layouts.folders import images_in, some

ReadDepth = Callable[[Path], NDArray[np.float32]]


def frames_in(folder: Path, name: str, *, prepare: str) -> tuple[Path, ...]:
    """The images in a folder in natural order; a FileNotFoundError if there are none."""
    images = images_in(folder)
    if not images:
        reason = "holds no image files" if folder.is_dir() else "is not there"
        raise FileNotFoundError(f"{name} has no frames: {folder} {reason}; run: {prepare}")
    return images


def beside(images: Sequence[Path], folder: Path, suffix: str, what: str, *, prepare: str) -> tuple[Path, ...]:
    """The file of each image, FOLDER/STEM + suffix; a FileNotFoundError names the frames that lack their `what`."""
    files = tuple(folder / f"{image.stem}{suffix}" for image in images)
    some_missing(files, what, prepare=prepare)
    return files


def refuse_more(files: Sequence[Path], *, prepare: str) -> None:
    """A FileNotFoundError if there are more files beside these, of the same suffix: their frames are missing."""
    folder, suffix = files[0].parent, files[0].suffix
    alone = sorted({file.name for file in folder.glob(f"*{suffix}")} - {file.name for file in files})
    if alone:
        raise FileNotFoundError(f"{folder} also has {some(alone)}, which no frame belongs to; run: {prepare}")


def some_missing(files: Sequence[Path], what: str, *, prepare: str) -> None:
    """A FileNotFoundError that names the frames whose `what` is not there."""
    missing = [file.stem for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"frames lack their {what} in {files[0].parent}: {some(missing)}; run: {prepare}")


def depth_from(files: Sequence[Path], read: ReadDepth) -> Callable[[int], NDArray[np.float32]]:
    """Frame number -> its depth, by `read`."""
    return partial(_read_depth, tuple(files), read)


def _read_depth(files: Sequence[Path], read: ReadDepth, frame: int) -> NDArray[np.float32]:
    return read(files[frame])
