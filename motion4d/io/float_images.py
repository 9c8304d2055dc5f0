"""Depth in image files that hold floating point numbers: the bits of a float16 as 16-bit PNG (Dynamic Replica, CO3D),
and float32 TIFF (Kubric). No torch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from motion4d.io.files import atomic_path


def read_half_png(path: str | Path) -> NDArray[np.float32]:
    """[H, W] float32. A ValueError names a file that is damaged or no 16-bit grey image."""
    values = _decode(path)
    if values.ndim != 2 or values.dtype.kind not in "iu" or values.max(initial=0) > 65535:
        raise ValueError(f"{path} is no 16-bit grey image, so it cannot hold the bits of half-precision depth")
    return values.astype(np.uint16).view(np.float16).astype(np.float32)


def write_half_png(path: str | Path, values: NDArray[np.floating]) -> None:
    """Write [H, W] atomically, rounded to half precision."""
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(values, np.float16).view(np.uint16)).save(temporary)


def read_float_tiff(path: str | Path) -> NDArray[np.float32]:
    """[H, W] float32. A ValueError names a file that is damaged or holds no floats."""
    values = _decode(path)
    if values.ndim != 2 or values.dtype.kind != "f":
        raise ValueError(f"{path} is no image of one floating point channel, as depth in a TIFF file is")
    return values.astype(np.float32)


def write_float_tiff(path: str | Path, values: NDArray[np.floating]) -> None:
    """Write [H, W] atomically."""
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(values, np.float32)).save(temporary)


def _decode(path: str | Path) -> NDArray[np.generic]:
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode the depth {path} ({error}); restore or remove this file") from error
