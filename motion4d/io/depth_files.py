"""Depth as 16-bit grey PNG (TUM, Bonn, KITTI, ScanNet): integers that stand for a depth times `per_unit`, 0 = none."""

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
