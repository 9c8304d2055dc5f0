"""A motion mask laid over its image: moving pixels tinted, their regions outlined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from motion4d.viz.colours import MOVING, OUTLINE

_TINT = 0.45  # share of the colour in the mix


def overlay(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """image [H, W, 3] RGB and mask [H, W] -> [H, W, 3]: a new picture, untouched where nothing moves.

    The outline lies inside the mask; its width follows the size of the image (1 pixel below 480 rows or so).
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"image and mask must have one size, but they have {image.shape[:2]} and {mask.shape}")
    picture = image.copy()
    picture[mask] = ((1 - _TINT) * image[mask] + _TINT * np.asarray(MOVING)).astype(np.uint8)
    picture[_outline(mask)] = OUTLINE
    return picture


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    width = max(1, round(min(mask.shape) / 320))
    # the border of the image is no border of a region
    inner = minimum_filter(mask.astype(np.uint8), size=2 * width + 1, mode="nearest").astype(bool)
    return mask & ~inner
