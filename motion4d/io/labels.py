"""Label images: the numbers that a file stores, not the colours that a viewer shows. No torch.

Palette images (DAVIS annotations) give their indices, grey images their values; transparency is ignored. An npz file
holds one mask per instance (GotMoving).
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def read_labels(path: str | Path) -> np.ndarray:
    """A label image or npz file -> [H, W] integers. A ValueError names a file that cannot be decoded.

    Images of several channels give the largest one: any non-zero channel makes a pixel non-zero.
    """
    if Path(path).suffix == ".npz":
        return _read_instances(path)
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


def _read_instances(path: str | Path) -> np.ndarray:
    """Arrays "0", "1", ... [H, W] or [1, H, W] of an npz file: instance i is labelled i + 1, later ones lie on top."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = sorted((name for name in archive.files if name.isdecimal()), key=int)
            masks = [archive[name] for name in names]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot decode the masks {path} ({error}); restore or remove this file") from error
    if not masks:
        raise ValueError(f'{path} holds no arrays named "0", "1", ...: it is no file of instance masks')
    size = masks[0].shape[-2:]
    if len(size) != 2 or any(mask.shape not in (size, (1, *size)) for mask in masks):
        shapes = ", ".join(str(mask.shape) for mask in masks[:3])
        raise ValueError(f"{path} holds masks of the shapes {shapes}, but they must be [H, W] or [1, H, W] of one size")
    labels = np.zeros(size, np.int32)
    for instance, mask in enumerate(masks, 1):
        labels[mask.reshape(labels.shape) > 0] = instance
    return labels
