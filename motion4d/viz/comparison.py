"""The comparison sheet: a few frames of a clip, and below them the masks of several sources laid over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from motion4d.viz.grid import picture_grid, spread
from motion4d.viz.overlay import overlay


def comparison_sheet(
    images: NDArray[np.uint8], rows: Mapping[str, NDArray[np.bool_]], title: str, *, columns: int = 6
) -> NDArray[np.uint8]:
    """images [N, H, W, 3] uint8; rows: name -> masks [N, H, W] -> one picture [H', W', 3] uint8.

    Up to `columns` evenly spaced frames, the first and the last among them.
    """
    frames = spread(len(images), columns)
    lines = {"image": [images[k] for k in frames]}
    lines.update({name: [overlay(images[k], masks[k]) for k in frames] for name, masks in rows.items()})
    return picture_grid(lines, title)
