"""Convolutions with fewer multiplications: Winograd's minimal filtering, for wide maps on CPUs.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016: tiles of the map and the filter are
taken to the values of polynomials at 8 points a side, multiplied there (one matrix product over channels per point),
and taken back. A 3x3 filter needs 64 products for 36 outputs instead of 324, a filter of 5 needs 8 for 4 instead of 20.
Rounding errors are about ten times those of the direct sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)  # and infinity; small fractions keep rounding errors small
_TILES = 128  # at a time: so many stay in the cache
_CHANNELS = 96  # with fewer, taking tiles there and back costs more than it saves

Convolution = Callable[[Tensor], Tensor]


class MinimalFilter:
    """A prepared stride-1 convolution of odd kernel, padded to keep the size: [B, C, h, w] -> [B, O, h, w].

    weight [O, C, kh, kw]; bias [O] or None. Input and output are channels_last.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        rows, columns = (_transforms(size) for size in weight.shape[2:])
        self.kernel = (weight.shape[2], weight.shape[3])
        self.tile = (rows[0].shape[0], columns[0].shape[0])  # outputs
        self.points = (rows[0].shape[1], columns[0].shape[1])
        back, filters, there = (torch.from_numpy(np.kron(r, c)).float() for r, c in zip(rows, columns, strict=True))
        self.back, self.there = back.to(weight), there.to(weight)
        spread = weight.permute(2, 3, 1, 0).flatten(0, 1)
        self.weight = (filters.to(weight) @ spread.flatten(1)).unflatten(1, spread.shape[1:])  # [points, C, O]
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        """The convolution of x."""
        batch, _, height, width = x.shape
        high, wide = self.tile
        down, across = -(-height // high), -(-width // wide)  # tiles
        channels = self.weight.shape[-1]
        out = x.new_empty(batch, height, width, channels)
        some = max(1, _TILES // across)
        for source, target in zip(x.permute(0, 2, 3, 1), out, strict=True):
            for first in range(0, down, some):
                count = min(some, down - first)
                tiles = self._tiles(source, first, count, across)
                values = torch.bmm((self.there @ tiles).unflatten(1, (-1, source.shape[-1])), self.weight)
                sums = (self.back @ values.flatten(1)).view(high, wide, count, across, channels)
                if self.bias is not None:
                    sums += self.bias
                rows = sums.permute(2, 0, 3, 1, 4).reshape(count * high, across * wide, channels)
                part = target[first * high : (first + count) * high]
                part.copy_(rows[: len(part), :width])
        return out.permute(0, 3, 1, 2)

    def _tiles(self, maps: Tensor, first: int, down: int, across: int) -> Tensor:
        """The tiles of `down` rows from row `first` on, of maps [h, w, C]: [points, down * across * C].

        They overlap by the kernel, and are zero outside.
        """
        height, width, channels = maps.shape
        above, left = self.kernel[0] // 2, self.kernel[1] // 2
        start, stop = first * self.tile[0] - above, (first + down) * self.tile[0] + above
        right = across * self.tile[1] + left - width
        part = F.pad(maps[max(start, 0) : stop], (0, 0, left, right, max(-start, 0), max(stop - height, 0)))
        row, column, channel = part.stride()
        strides = (row, column, row * self.tile[0], column * self.tile[1], channel)
        return part.as_strided((*self.points, down, across, channels), strides).reshape(math.prod(self.points), -1)


def same_convolution(weight: Tensor, bias: Tensor | None = None) -> Convolution:
    """The faster form of a stride-1 convolution that keeps the size, for many calls with one weight [O, C, kh, kw]."""
    wide = min(weight.shape[:2]) >= _CHANNELS and weight.dtype == torch.float32
    if wide and weight.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
        return MinimalFilter(weight, bias)
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return lambda x: F.conv2d(x, weight, bias, padding=padding)


@lru_cache
def _transforms(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices (A^T, G, B^T): outputs = A^T ((G filter) * (B^T tile)), in one dimension.

    They come from the transposed Toom-Cook product at `_POINTS` and infinity; a filter of one tap needs no tiles.
    """
    if taps == 1:
        return (np.eye(1),) * 3
    count = len(_POINTS) + 1

    def values(degree: int) -> np.ndarray:
        """Of the monomials below `degree` at every point; at infinity only the highest counts."""
        finite = np.array(_POINTS)[:, None] ** np.arange(degree)
        return np.vstack((finite, np.eye(degree)[-1]))

    filters, there = values(taps), np.linalg.inv(values(count)).T
    size = np.abs(filters).max(1, keepdims=True)  # balanced, which keeps rounding errors small
    return values(count - taps + 1).T, filters / size, there * size
