"""Motion masks on disk: 8-bit grey PNG, 0 = static, 255 = moving, at the video's own resolution; probabilities as npz.

A probability file holds one float16 array [H, W] per frame, named like the mask's stem ("00000"), and is written frame
by frame, so that its length costs no memory: `numpy.load(path)["00000"]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.arrays import ArrayFile, write_arrays
from motion4d.io.images import read_image, write_image


def mask_name(index: int) -> str:
    """Stem of frame `index`, counted from 0: "00000"."""
    return f"{index:05d}"


def write_mask(path: str | Path, mask: NDArray[np.bool_]) -> None:
    """Write [H, W] bool as a PNG of 0 and 255."""
    write_image(path, mask.astype(np.uint8) * np.uint8(255))


def read_mask(path: str | Path) -> NDArray[np.bool_]:
    """Read a mask image as [H, W] bool: brighter than half is moving."""
    return read_image(path).max(axis=-1) > 127


class ProbabilityFile:
    """An npz file that grows by one frame at a time; made by `write_probabilities`."""

    def __init__(self, arrays: ArrayFile) -> None:
        self._arrays = arrays

    def add(self, name: str, probabilities: NDArray[np.floating]) -> None:
        """Append one frame: [H, W] in [0, 1], kept as float16."""
        self._arrays.add(name, probabilities.astype(np.float16))


@contextmanager
def write_probabilities(path: str | Path) -> Iterator[ProbabilityFile]:
    """Open an npz file for frame-by-frame writing; it appears under its name when the block ends without error."""
    with write_arrays(path) as arrays:
        yield ProbabilityFile(arrays)


def read_probabilities(path: str | Path) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """Yield (name, [H, W] float16) for every frame of a probability file, in order."""
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            yield name, archive[name]
