"""Small holes of masks, filled."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=int)


def fill_holes(masks: Tensor, area: int) -> Tensor:
    """masks [N, H, W] bool with every background region of at most `area` pixels (8-connected) filled.

    As in SAM 2, whose own form needs a CUDA extension, regions at the border of the frame count as well.
    """
    filled = [_fill(mask, area) for mask in masks.cpu().numpy()]
    return torch.from_numpy(np.stack(filled)).to(masks.device)


def _fill(mask: np.ndarray, area: int) -> np.ndarray:
    regions, _ = ndimage.label(~mask, structure=_EIGHT_NEIGHBOURS)
    is_hole = np.bincount(regions.ravel()) <= area
    is_hole[0] = False  # label 0: the mask itself
    return mask | is_hole[regions]
