"""Label images: the numbers that a file stores, not the colours that a viewer shows. No torch.

Palette images (DAVIS annotations) give their indices, grey images their values; transparency is ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def read_labels(path: str | Path) -> np.ndarray:
    """A label image -> [H, W] integers. A ValueError names a file that cannot be decoded.

    Images of several channels give the largest one: any non-zero channel makes a pixel non-zero.
    """
    values, _ = _decode(path)
    return values.max(axis=-1) if values.ndim == 3 else values


def read_ids(path: str | Path) -> np.ndarray:
    """An image of object ids -> [H, W] integers; a ValueError if it stores colours instead of ids."""
    values, mode = _decode(path)
    if values.ndim == 3 or values.dtype.kind not in "iu":
        raise ValueError(f"{path} is an image of mode {mode}, but object ids are wanted: save a palette or grey image")
    return values


def read_probability(path: str | Path) -> np.ndarray:
    """A mask with soft values -> [H, W] uint8, 255 is certain. Palette and two-level images give 0 and 255."""
    values, mode = _decode(path)
    if mode in ("P", "PA", "1"):
        return np.where(values > 0, np.uint8(255), np.uint8(0))
    if values.ndim == 3:
        values = values.max(axis=-1)
    if values.dtype != np.uint8:
        raise ValueError(f"{path} stores {values.dtype} values, but probabilities are wanted as 8-bit grey (0 to 255)")
    return values


def _decode(path: str | Path) -> tuple[np.ndarray, str]:
    """Stored values [H, W] or [H, W, channels] without transparency, and the file's mode."""
    try:
        with Image.open(path) as image:
            values, mode = np.asarray(image), image.mode
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode the mask {path} ({error}); restore or remove this file") from error
    if mode in ("LA", "PA"):
        values = values[..., 0]
    elif mode == "RGBA":
        values = values[..., :3]
    return (values.astype(np.uint8) if values.dtype == bool else values), mode
