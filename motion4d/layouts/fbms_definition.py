"""Def.dat of FBMS-59: which frames of a sequence are labelled by which files, and which value is which region.

Ochs, Malik, Brox, "Segmentation of Moving Objects by Long Term Video Analysis", TPAMI 2014.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Definition:
    """regions: pixel value of each region, region 0 = background; frames: of the whole shot.

    labels: 0-based frame -> label file. A value is a grey level (.pgm) or R * 65536 + G * 256 + B (.ppm).
    """

    regions: tuple[int, ...]
    frames: int
    labels: dict[int, Path]

    def region_of(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Values -> region indices; a value that is not listed is region 0 (such colours occur)."""
        order = np.argsort(self.regions)
        listed = np.asarray(self.regions)[order]
        place = np.searchsorted(listed, values).clip(max=len(listed) - 1)
        return np.where(listed[place] == values, order[place], 0)


def read_definition(path: Path) -> Definition:
    """Read a Def.dat file; its label files lie beside it. A ValueError names a file that is not one."""
    try:
        lines = iter(path.read_text(encoding="latin-1").splitlines())
        regions = tuple(int(_after(lines)) for _ in range(_number(lines, "Total number of regions")))
        frames = _number(lines, "Total number of frames")
        count = _number(lines, "Total number of labeled frames")
        labels = {}
        for _ in range(count):
            frame = _number(lines, "Frame number")
            labels[frame] = path.parent / _value(lines, "File name").strip()
    except (ValueError, StopIteration) as error:
        raise ValueError(f"{path} is not a complete ground truth definition ({error}); restore it") from error
    return Definition(regions, frames, labels)


def read_values(path: Path) -> NDArray[np.int64]:
    """A label file -> [H, W] values as Def.dat lists them: grey levels, or R * 65536 + G * 256 + B."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image).astype(np.int64)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode the label file {path} ({error}); restore it") from error
    return pixels if pixels.ndim == 2 else pixels @ np.array([65536, 256, 1])


def _number(lines: Iterator[str], label: str) -> int:
    return int(_value(lines, label))


def _value(lines: Iterator[str], label: str) -> str:
    """The line after the next line that begins with `label`."""
    for line in lines:
        if line.startswith(label):
            return next(lines)
    raise ValueError(f"there is no {label!r}")


def _after(lines: Iterator[str]) -> str:
    """The value line of a label line, which may be blank."""
    next(lines)
    return next(lines)
