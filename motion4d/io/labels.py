"""Label images: the numbers that a file stores, not the colours that a viewer shows. No torch.

Palette images (DAVIS annotations) give their indices, grey images their values, images of several channels the largest
one (any non-zero channel makes a pixel non-zero); transparency is ignored. An npz file holds one mask per instance.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image


def read_labels(path: str | Path) -> np.ndarray:
    """A label image or npz file -> [H, W] integers. A ValueError names a file that cannot be decoded."""
    if Path(path).suffix == ".npz":
        return _read_instances(path)
    try:
        with Image.open(path) as image:
            values, has_alpha = np.array(image), image.mode in ("LA", "RGBA", "PA")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode the mask {path} ({error}); restore or remove this file") from error
    if values.ndim == 3:
        values = values[..., : values.shape[-1] - has_alpha].max(axis=-1)
    return values.astype(np.uint8) if values.dtype == bool else values


def _read_instances(path: str | Path) -> np.ndarray:
    """Arrays "0", "1", ... [H, W] or [1, H, W] of an npz file: instance i is labelled i + 1, later ones lie on top."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = sorted((name for name in archive.files if name.isdecimal()), key=int)
            masks = [archive[name] for name in names]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot decode the masks {path} ({error}); restore or remove this file") from error
    if not masks:
        raise ValueError(f'{path} holds no arrays named "0", "1", ...: it is no file of instance masks')
    labels = np.zeros(masks[0].shape[-2:], np.int32)
    for instance, mask in enumerate(masks, 1):
        labels[mask.reshape(labels.shape) > 0] = instance
    return labels
