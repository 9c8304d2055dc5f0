"""A network's probability map at the annotation's size, as GeoMotion's published evaluation makes it: through bytes.

Its tables threshold these bytes at 0.1 (26 of 255), so a mask grows by up to a pixel of the network's grid.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

FOREGROUND_BYTE = 26


def probability_bytes(probability: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[h, w] float32 in [0, 1] -> [H, W] uint8: truncated to bytes, then Pillow's bilinear filter to `size` (H, W)."""
    stored = (probability.astype(np.float32) * np.float32(255)).astype(np.uint8)
    if stored.shape == tuple(size):
        return stored
    return np.asarray(Image.fromarray(stored).resize((size[1], size[0]), Image.Resampling.BILINEAR))
