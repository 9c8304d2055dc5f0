"""Patch tokens -> values per pixel and channel, by a linear map and a pixel shuffle (Pi3's point and confidence heads).

Feature c*p*p + r*p + s of a patch is channel c at its row r, column s. The key is the published one (`proj`).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class PixelHead(nn.Module):
    """Tokens [M, h*w, dim] -> maps [M, channels, h * patch_size, w * patch_size]."""

    def __init__(self, dim: int, patch_size: int, channels: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Linear(dim, channels * patch_size**2)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w) patches; no special tokens among `tokens`."""
        features = self.proj(tokens).transpose(1, 2).unflatten(2, grid)
        return F.pixel_shuffle(features, self.patch_size)
