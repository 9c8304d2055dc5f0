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
import warnings
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
    """The same lookup from feature maps alone: a sampled product of matrices (SDDMM) per pair and level."""

    def __init__(self, first: Tensor, second: Tensor, *, levels: int, radius: int) -> None:
        """first, second: [P, D, h, w]."""
        self.first = (first.float() / math.sqrt(first.shape[1])).flatten(2).transpose(1, 2).contiguous()
        self.pyramid = [second.float()]
        for _ in range(levels - 1):
            self.pyramid.append(F.avg_pool2d(self.pyramid[-1], 2))
        self.radius = radius

    def lookup(self, positions: Tensor) -> Tensor:
        """See Correlation."""
        places = (2 * self.radius + 1) ** 2
        found = positions.new_empty(len(positions), len(self.pyramid) * places, positions[0, 0].numel())
        with torch.autocast(positions.device.type, enabled=False):
            for pair, centres in enumerate(positions.flatten(2).transpose(1, 2)):
                for level, (maps, part) in enumerate(zip(self.pyramid, found[pair].split(places), strict=True)):
                    part.copy_(self._windows(self.first[pair], maps[pair], centres / 2**level).T)
        return found.unflatten(2, positions.shape[2:])

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
        across = dots[:, :, :-1] * (1 - right) + dots[:, :, 1:] * right
        down = across[:, :-1] * (1 - below) + across[:, 1:] * below
        return down.transpose(1, 2).flatten(1)  # x is the slow offset

    @staticmethod
    def _dots(first: Tensor, second: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        """<first, second at (row, column)>: [Q, rows, columns], zero outside the map."""
        height, width = second.shape[1:]
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        index = width * rows.clamp(0, height - 1)[:, :, None] + columns.clamp(0, width - 1)[:, None, :]
        maps = second.flatten(1)
        if maps.shape[1] <= index[0].numel():  # fewer pixels than a window has places
            return (first @ maps).gather(1, index.flatten(1)).view(index.shape) * inside
        starts = torch.arange(0, index.numel() + 1, index[0].numel(), device=index.device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch calls its sparse matrices a beta
            asked = torch.sparse_csr_tensor(
                starts,
                index.flatten(),
                first.new_zeros(index.numel()),
                size=(len(first), maps.shape[1]),
                check_invariants=False,  # a window that is clamped at the border names a pixel more than once
            )
            dots = torch.sparse.sampled_addmm(asked, first, maps, beta=0)
        return dots.values().view(index.shape) * inside


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
