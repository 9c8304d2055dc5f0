"""The colours of every picture: one for what moves, and a heat map whose brightness grows evenly with the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOVING = (255, 90, 40)  # tint of moving pixels
OUTLINE = (255, 235, 120)  # border of moving regions
BACKGROUND = (24, 26, 30)
TEXT = (235, 235, 235)

# evenly spaced between 0 and 1: night blue over purple and orange to pale yellow
_HEAT = ((6, 8, 32), (52, 18, 96), (118, 28, 109), (184, 50, 86), (235, 98, 44), (251, 168, 32), (252, 245, 170))


def heat(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """[H, W] in [0, 1] -> [H, W, 3] uint8; values outside are clipped."""
    return _table()[(np.clip(values, 0, 1) * 255).round().astype(np.uint8)]


def _table() -> NDArray[np.uint8]:
    anchors = np.asarray(_HEAT, dtype=np.float64)
    position = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(position, np.arange(len(anchors)), anchors[:, k]) for k in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)
