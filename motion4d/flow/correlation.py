"""Correlation of every pixel of one feature map with windows of another, on four scales.

Teed and Deng, "RAFT", ECCV 2020, section 3.2. Feature maps are [P, D, h, w]; a correlation is <f1, f2> / sqrt(D).
Looked up are windows of (2r+1)^2 places around a position, on every level of a pyramid over the second map.
Channel = level * (2r+1)^2 + (x offset + r) * (2r+1) + (y offset + r): the x offset is the slow one (as published).
Sampling is bilinear with zeros outside. All of it is float32, whatever the precision around it.

`Volume` holds all pairs of pixels; `OnTheFly` computes only what is looked up, in memory that grows with the number of
pixels instead of its square. Both give the same numbers, as correlation is linear in the second map.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Correlation(Protocol):
    """What the recurrent update looks up."""

    def lookup(self, positions: Tensor) -> Tensor:
        """positions: [P, 2, h, w], x and y in pixels of the second map -> [P, levels * (2r+1)^2, h, w]."""
        ...


class Volume:
    """The correlation of all pixel pairs as a pyramid of [P*h*w, 1, h_l, w_l]."""

    def __init__(self, volume: Tensor, *, levels: int, radius: int) -> None:
        """volume: [P, h, w, h, w]: first map's rows and columns, then the second's."""
        pairs, height, width = volume.shape[:3]
        self.pyramid = [volume.reshape(pairs * height * width, 1, *volume.shape[3:])]
        for _ in range(levels - 1):
            self.pyramid.append(F.avg_pool2d(self.pyramid[-1], 2))
        self.offsets = window_offsets(radius, volume)

    @classmethod
    def one_way(cls, first: Tensor, second: Tensor, *, levels: int, radius: int) -> Volume:
        """From `first` to `second`, both [P, D, h, w]."""
        pairs, _, height, width = first.shape
        volume = all_pairs(first, second).view(pairs, height, width, height, width)
        return cls(volume, levels=levels, radius=radius)

    @classmethod
    def both_ways(cls, first: Tensor, second: Tensor, *, levels: int, radius: int) -> Volume:
        """[2P]: from `first` to `second`, then from `second` to `first`, which is the transposed first half."""
        pairs, _, height, width = first.shape
        both = first.new_empty(2 * pairs, height * width, height * width, dtype=torch.float32)
        forward, backward = both.chunk(2)
        all_pairs(first, second, out=forward)
        for there, back in zip(forward, backward, strict=True):
            back.copy_(there.T)  # as matrices, because that copy is blocked: several times faster than one of maps
        return cls(both.view(2 * pairs, height, width, height, width), levels=levels, radius=radius)

    @staticmethod
    def bytes_both_ways(height: int, width: int, *, levels: int) -> int:
        """Memory of one pair of frames in both directions, pyramid included."""
        return round(2 * 4 * (height * width) ** 2 * sum(0.25**level for level in range(levels)))

    def lookup(self, positions: Tensor) -> Tensor:
        """See Correlation."""
        pairs, _, height, width = positions.shape
        centres = positions.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
        levels = []
        for level, values in enumerate(self.pyramid):
            step = 2 / (
                centres.new_tensor([values.shape[-1], values.shape[-2]]) - 1
            )  # one pixel on grid_sample's scale
            grid = (centres * (step / 2**level) - 1) + self.offsets * step
            windows = F.grid_sample(values, grid, padding_mode="zeros", align_corners=True)
            levels.append(windows.view(pairs, height, width, -1))
        return torch.cat(levels, -1).permute(0, 3, 1, 2)


class OnTheFly:
    """The same lookup from feature maps alone.

    chunk_bytes: memory for the neighbours of as many pixels as are looked up at a time.
    """

    def __init__(
        self, first: Tensor, second: Tensor, *, levels: int, radius: int, chunk_bytes: int = 64 * 2**20
    ) -> None:
        """first, second: [P, D, h, w]."""
        channels = first.shape[1]
        self.first = (first.float() / math.sqrt(channels)).permute(0, 2, 3, 1)
        self.pyramid = [second.float()]
        for _ in range(levels - 1):
            self.pyramid.append(F.avg_pool2d(self.pyramid[-1], 2))
        self.radius = radius
        self.chunk = max(1, chunk_bytes // (4 * channels * (2 * radius + 2) ** 2))

    def lookup(self, positions: Tensor) -> Tensor:
        """See Correlation."""
        with torch.autocast(positions.device.type, enabled=False):
            windows = [self._lookup_pair(pair, centres) for pair, centres in enumerate(positions)]
        return torch.stack(windows).unflatten(2, positions.shape[2:])

    def _lookup_pair(self, pair: int, positions: Tensor) -> Tensor:
        """positions [2, h, w] -> [levels * (2r+1)^2, h*w]."""
        features = self.first[pair].flatten(0, 1)
        centres = positions.flatten(1).T
        levels = []
        for level, second in enumerate(self.pyramid):
            chunks = zip(features.split(self.chunk), (centres / 2**level).split(self.chunk), strict=True)
            levels.append(torch.cat([self._windows(one, second[pair], where) for one, where in chunks]))
        return torch.cat(levels, 1).T

    def _windows(self, first: Tensor, second: Tensor, centres: Tensor) -> Tensor:
        """first [Q, D], second [D, h_l, w_l], centres [Q, 2] -> [Q, (2r+1)^2].

        All places of a window lie at one fraction between whole pixels: (2r+2)^2 dot products serve them all.
        """
        whole = centres.floor()
        fraction = (centres - whole).view(-1, 2, 1, 1)
        reach = torch.arange(-self.radius, self.radius + 2, device=first.device)
        columns = whole[:, 0, None].long() + reach
        rows = whole[:, 1, None].long() + reach
        dots = self._dots(first, second, columns, rows)
        right, below = fraction[:, 0], fraction[:, 1]
        across = dots[:, :-1] * (1 - right) + dots[:, 1:] * right
        return (across[:, :, :-1] * (1 - below) + across[:, :, 1:] * below).flatten(1)

    @staticmethod
    def _dots(first: Tensor, second: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        """<first, second at (column, row)>: [Q, columns, rows], zero outside the map."""
        height, width = second.shape[1:]
        inside = ((columns >= 0) & (columns < width))[:, :, None] & ((rows >= 0) & (rows < height))[:, None, :]
        index = columns.clamp(0, width - 1)[:, :, None] + width * rows.clamp(0, height - 1)[:, None, :]
        neighbours = second.flatten(1).T[index.flatten(1)]  # [Q, (2r+2)^2, D]
        return torch.bmm(neighbours, first[:, :, None]).view(index.shape) * inside


def correlate_both_ways(first: Tensor, second: Tensor, *, levels: int, radius: int, memory_limit: int) -> Correlation:
    """Lookups for 2P pairs, first to second and second to first; on the fly if one pair's volumes pass the limit.

    first, second: [P, D, h, w]; memory_limit: bytes.
    """
    if Volume.bytes_both_ways(first.shape[-2], first.shape[-1], levels=levels) > memory_limit:
        sources, targets = torch.cat([first, second]), torch.cat([second, first])
        return OnTheFly(sources, targets, levels=levels, radius=radius)
    return Volume.both_ways(first, second, levels=levels, radius=radius)


def all_pairs(first: Tensor, second: Tensor, *, out: Tensor | None = None) -> Tensor:
    """[P, D, h, w] twice -> [P, h*w, h*w]: <first(p), second(q)> / sqrt(D), float32; written to `out` if given."""
    with torch.autocast(first.device.type, enabled=False):
        one = first.float().flatten(2).transpose(1, 2) / math.sqrt(first.shape[1])
        return torch.bmm(one, second.float().flatten(2), out=out)


def pixel_grid(height: int, width: int, *, like: Tensor) -> Tensor:
    """[2, h, w] float32: x and y of every pixel."""
    rows = torch.arange(height, device=like.device, dtype=torch.float32)
    columns = torch.arange(width, device=like.device, dtype=torch.float32)
    return torch.stack([columns.expand(height, width), rows[:, None].expand(height, width)])


def window_offsets(radius: int, like: Tensor) -> Tensor:
    """[2r+1, 2r+1, 2] x and y offsets of a window, x along the first axis."""
    reach = torch.arange(-radius, radius + 1, device=like.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(reach, reach, indexing="ij"), -1)
