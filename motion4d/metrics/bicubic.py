"""Bicubic resizing of maps as OpenCV's INTER_CUBIC does it: what published depth protocols resize predictions with.

Keys' kernel with a = -0.75, pixel centres at half integers, no antialiasing, borders repeated. No torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_A = -0.75


def resize_bicubic(values: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.float64]:
    """[h, w] -> [H, W] float64; the same values if it has that size."""
    resized = np.asarray(values, np.float64)
    for axis, length in enumerate(size):
        if resized.shape[axis] != length:
            resized = _along(resized, axis, length)
    return resized


def _along(values: NDArray[np.float64], axis: int, length: int) -> NDArray[np.float64]:
    here = values.shape[axis]
    place = (np.arange(length) + 0.5) * (here / length) - 0.5
    first = np.floor(place).astype(int)
    resized = 0.0
    for tap, weight in zip(range(-1, 3), _weights(place - first), strict=True):
        taken = np.take(values, np.clip(first + tap, 0, here - 1), axis)
        resized = resized + taken * (weight[:, None] if axis == 0 else weight)
    return np.asarray(resized)


def _weights(after: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Weights of the four neighbours of places that lie `after` (0 to 1) behind the second of them."""

    def far(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A

    def near(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((_A + 2) * x - (_A + 3)) * x * x + 1

    return far(after + 1), near(after), near(1 - after), far(2 - after)
