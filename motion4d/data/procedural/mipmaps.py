"""Textures with all their reductions, sampled without aliasing (trilinear; Williams, "Pyramidal Parametrics", 1983)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Mipmaps:
    """All textures [T, S, S, 3] (S a power of two) and their reductions in one table of texels; they repeat."""

    def __init__(self, textures: Tensor) -> None:
        self.size = textures.shape[1]
        self.top = self.size.bit_length() - 1
        level, tables, starts = textures.permute(0, 3, 1, 2), [], [0]
        for _ in range(self.top + 1):
            tables.append(level.permute(0, 2, 3, 1).reshape(len(textures), -1, 3))
            starts.append(starts[-1] + tables[-1].shape[1])
            level = F.avg_pool2d(level, 2) if level.shape[-1] > 1 else level
        self.per_texture = starts[-1]
        self.starts = torch.tensor(starts[:-1], device=textures.device)
        self.table = torch.cat(tables, 1).reshape(-1, 3)

    def sample(self, texture: Tensor, across: Tensor, down: Tensor, level: Tensor) -> Tensor:
        """[3, K] colours of textures [K] at texel coordinates across, down [K]; level [K]: log2 of texels per pixel."""
        level = level.clamp(0, self.top - 0.001)
        low = level.long()
        far_share = level - low
        base = texture * self.per_texture
        near = self._corners(base, across, down, low, 1 - far_share)
        far = self._corners(base, across, down, low + 1, far_share)
        texels, weights = (
            torch.stack([*first, *second]).T.contiguous() for first, second in zip(near, far, strict=True)
        )
        return F.embedding_bag(texels, self.table, mode="sum", per_sample_weights=weights).T

    def _corners(
        self, base: Tensor, across: Tensor, down: Tensor, level: Tensor, share: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """(table rows, weights) of the four texels around each place on a level; weights sum to `share`."""
        size = self.size >> level
        shrink = size / self.size
        x, y = across * shrink - 0.5, down * shrink - 0.5
        left, upper = x.floor(), y.floor()
        right_part, lower_part = x - left, y - upper
        mask = size - 1
        column, row = left.long(), upper.long()
        base = base + self.starts.index_select(0, level)
        first, second = base + (row & mask) * size, base + ((row + 1) & mask) * size
        column, following = column & mask, (column + 1) & mask
        lower = lower_part * share
        above = share - lower
        above_right, below_right = above * right_part, lower * right_part
        weights = [above - above_right, above_right, lower - below_right, below_right]
        return [first + column, first + following, second + column, second + following], weights
