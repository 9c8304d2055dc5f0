"""Label images: the numbers that a file stores, not the colours that a viewer shows. No torch.

Palette images (DAVIS annotations) give their indices, grey images their values, images of several channels the largest
one (any non-zero channel makes a pixel non-zero); transparency is ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def read_labels(path: str | Path) -> np.ndarray:
    """A label image -> [H, W] integers. A ValueError names a file that cannot be decoded."""
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
