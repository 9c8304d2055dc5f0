"""Depth files: 16-bit grey PNG (TUM, Bonn, KITTI), integers that are depth times `per_unit`; npy arrays. 0 = none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from motion4d.io.files import atomic_path

LARGEST = 65535


def read_depth_png(path: str | Path, *, per_unit: float) -> NDArray[np.float32]:
    """[H, W] float32 in the data set's unit, 0 where there is none.

    A ValueError names a file that cannot be decoded or is no grey image.
    """
    try:
        with Image.open(path) as image:
            values = np.asarray(image)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode the depth {path} ({error}); restore or remove this file") from error
    if values.ndim != 2:
        raise ValueError(f"{path} is an image of {values.ndim} axes, but depth is one grey channel")
    return (values / per_unit).astype(np.float32)


def write_depth_png(path: str | Path, depth: NDArray[np.floating], *, per_unit: float) -> None:
    """Write [H, W] atomically, rounded; what is too far for 16 bits (65535 / per_unit) or not finite becomes 0."""
    values = np.rint(np.asarray(depth, np.float64) * per_unit)
    known = np.isfinite(values) & (values > 0) & (values <= LARGEST)
    with atomic_path(path) as temporary:
        Image.fromarray(np.where(known, values, 0).astype(np.uint16)).save(temporary)


def read_depth_npy(path: str | Path) -> NDArray[np.float32]:
    """An array [H, W] or [H, W, 1] -> [H, W]; a ValueError names a file that is damaged or holds something else."""
    try:
        array = np.asarray(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"cannot read the depth {path} ({error}); restore or remove this file") from error
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,)) or array.dtype.kind != "f":
        raise ValueError(f"{path} holds {array.dtype} of {array.shape}, but depth is an array of numbers [H, W]")
    depth: NDArray[np.float32] = array.reshape(array.shape[:2]).astype(np.float32)
    return depth


def write_depth_npy(path: str | Path, depth: NDArray[np.floating]) -> None:
    """Write [H, W] or [H, W, 1] atomically."""
    with atomic_path(path) as temporary:
        np.save(temporary, depth, allow_pickle=False)
