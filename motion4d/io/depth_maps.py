"""Depth maps in files from anyone: one per file (npy, npz, 16-bit PNG), or a sequence in one (npy, npz). No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from motion4d.io.depth_files import read_depth_png
from motion4d.io.files import natural_key

SUFFIXES = (".npy", ".npz", ".png")


@dataclass(frozen=True)
class DepthMap:
    """One map of a sequence: the frame's stem, and how to read it: -> [H, W]; errors are ValueError or OSError."""

    stem: str
    read: Callable[[], NDArray[np.floating]]


def map_in(file: Path, per_unit: float | None = None) -> DepthMap:
    """The one map in a file. per_unit: values of a 16-bit PNG that are one unit of depth."""
    return DepthMap(file.stem, partial(_read_map, file, per_unit))


def is_whole(file: Path) -> bool:
    """Whether a file holds all maps of a sequence; a ValueError if it cannot be read."""
    if file.suffix.lower() == ".png":
        return False
    names = _names_in(file)
    return len(names) > 1 or _array(file, names[0]).ndim == 3


def maps_in(file: Path) -> list[DepthMap]:
    """The maps in one file: arrays [H, W] by stem, or one array [N, H, W] by number."""
    names = _names_in(file)
    if len(names) == 1 and _array(file, names[0]).ndim == 3:
        return [
            DepthMap(f"{k:05d}", partial(_read_part, file, names[0], k)) for k in range(len(_array(file, names[0])))
        ]
    return [DepthMap(name, partial(_read_part, file, name, None)) for name in sorted(names, key=natural_key)]


def _names_in(file: Path) -> list[str]:
    """Names of the arrays in an npz file; "" for the one in an npy file."""
    if file.suffix.lower() == ".npy":
        return [""]
    with _opened(file) as archive:
        names = [str(name) for name in archive.files]
    if not names:
        raise ValueError(f"{file} holds no arrays")
    return names


@lru_cache(maxsize=1)  # frame after frame of a sequence comes out of one array
def _array(file: Path, name: str) -> NDArray[np.floating]:
    if not name:
        return _numbers(_opened(file), file)
    with _opened(file) as archive:
        return _numbers(archive[name], file)


def _opened(file: Path) -> Any:
    try:
        return np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(f"cannot read the depth {file} ({error}); restore or remove this file") from error


def _numbers(array: Any, file: Path) -> NDArray[np.floating]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise ValueError(f"{file} does not hold an array of numbers")
    return array


def _read_part(file: Path, name: str, index: int | None) -> NDArray[np.floating]:
    array = _array(file, name)
    return _as_map(array if index is None else array[index], file)


def _read_map(file: Path, per_unit: float | None) -> NDArray[np.floating]:
    """The map in a file of its own."""
    if file.suffix.lower() != ".png":
        return _read_part(file, _names_in(file)[0], None)
    if per_unit is None:
        raise ValueError(f"{file} is a PNG: say how many of its values are one unit of depth (1000: millimetres)")
    return read_depth_png(file, per_unit=per_unit)


def _as_map(array: NDArray[np.floating], file: Path) -> NDArray[np.floating]:
    """[H, W] of an array that may have axes of length 1 besides."""
    shape = tuple(length for length in array.shape if length != 1) or array.shape
    if array.ndim != 2:
        array = array.reshape(shape)
    if array.ndim != 2:
        raise ValueError(f"{file} holds an array of {array.shape}, but a depth map is [H, W]")
    return array
