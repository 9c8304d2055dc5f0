"""Masks with a bit per pixel: areas, boundaries and "within a radius" of a whole frame in some hundred word operations.

A row takes whole 64-bit words and at least `radius` spare bits, so shifting the flat words by a bit is shifting the
image by a pixel: what leaves a row stays in the spare bits, which never count. Everything is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

WORD = 64


@dataclass(frozen=True)
class BitGrid:
    """How images of `height` x `width` pixels are packed so that masks can grow by `radius` pixels."""

    height: int
    width: int
    radius: float

    @cached_property
    def row_words(self) -> int:
        """Words per row."""
        return math.ceil((self.width + max(1, math.floor(self.radius))) / WORD)

    @cached_property
    def size(self) -> int:
        """Words per image."""
        return self.height * self.row_words

    @cached_property
    def real(self) -> np.ndarray:
        """The bits that are pixels, not spare."""
        canvas = np.zeros((self.height, self.row_words * WORD), dtype=bool)
        canvas[:, : self.width] = True
        return _words(canvas)

    @cached_property
    def half_widths(self) -> list[int]:
        """For dy = 0, 1, ... radius: the largest dx with dx^2 + dy^2 <= radius^2."""
        return [math.floor(math.sqrt(self.radius**2 - dy**2)) for dy in range(math.floor(self.radius) + 1)]

    def canvas(self, labels: np.ndarray) -> np.ndarray:
        """Labels [H, W], the last column and row repeated once (so the border is no boundary), and padding."""
        canvas = np.zeros((self.height + 1, self.row_words * WORD), dtype=labels.dtype)
        canvas[:-1, : self.width] = labels
        canvas[:-1, self.width] = labels[:, -1]
        canvas[-1] = canvas[-2]
        return canvas

    def boundary(self, region: np.ndarray) -> np.ndarray:
        """Pixels that differ from their right, lower or lower right neighbour: canvas -> image."""
        right = _left(region, 1)
        edge = region[: self.size] ^ right[: self.size]
        edge |= region[: self.size] ^ region[self.row_words :]
        edge |= region[: self.size] ^ right[self.row_words :]
        edge &= self.real
        return edge

    def near(self, edge: np.ndarray) -> np.ndarray:
        """Pixels within `radius` of a pixel of `edge` (spare bits hold anything): words of an image, and out of it."""
        near = np.zeros_like(edge)
        used = np.flatnonzero(edge)
        if used.size == 0:
            return near
        reach = len(self.half_widths) - 1
        first = max(used[0] // self.row_words - reach, 0) * self.row_words
        last = min(used[-1] // self.row_words + reach + 1, self.height) * self.row_words
        self._grow(edge[first:last], near[first:last])
        return near

    def _grow(self, edge: np.ndarray, near: np.ndarray) -> None:
        """Add to `near` the disk around every bit of `edge`: from its narrow rows to its widest one."""
        wide, half = edge, 0
        for dy in range(len(self.half_widths) - 1, -1, -1):
            while half < self.half_widths[dy]:
                step = min(self.half_widths[dy] - half, 2 * half + 1, WORD - 1)
                grown = _left(wide, step)
                grown |= _right(wide, step)
                grown |= wide
                wide, half = grown, half + step
            offset = dy * self.row_words
            if offset < near.size:
                near[offset:] |= wide[: near.size - offset]
                near[: near.size - offset] |= wide[offset:]


class BitMask:
    """One mask on a BitGrid. region, edge, near: words of an image; area, edge_pixels: how many bits are set."""

    def __init__(self, grid: BitGrid, canvas: np.ndarray) -> None:
        self.grid = grid
        self.region, self.edge = canvas[: grid.size] & grid.real, grid.boundary(canvas)
        self.area, self.edge_pixels = count(self.region), count(self.edge)

    @cached_property
    def near(self) -> np.ndarray:
        """Pixels within the grid's radius of the boundary."""
        return self.grid.near(self.edge)


class BitLabels:
    """A label image [H, W] on a grid, of which masks are taken; `void` [H, W] bool is background in all of them."""

    def __init__(self, grid: BitGrid, labels: np.ndarray, void: np.ndarray | None = None) -> None:
        self._grid = grid
        self._canvas = grid.canvas(labels)
        self._counts = None if void is None else ~_words(grid.canvas(void.astype(bool)))

    def foreground(self) -> BitMask:
        """Everything but label 0."""
        return self._mask(self._canvas != 0)

    def object(self, label: int) -> BitMask:
        """The pixels of one label."""
        return self._mask(self._canvas == label)

    def nothing(self) -> BitMask:
        """An empty mask."""
        return BitMask(self._grid, np.zeros(self._grid.size + self._grid.row_words, dtype=np.uint64))

    def _mask(self, canvas: np.ndarray) -> BitMask:
        words = _words(canvas)
        return BitMask(self._grid, words if self._counts is None else words & self._counts)


@lru_cache(maxsize=16)
def bit_grid(height: int, width: int, radius: float) -> BitGrid:
    """The grid of a frame size, made once."""
    return BitGrid(height, width, radius)


def count(words: np.ndarray) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(words).sum(dtype=np.int64))


def _words(canvas: np.ndarray) -> np.ndarray:
    return np.packbits(canvas.reshape(-1), bitorder="little").view("<u8")


def _left(words: np.ndarray, step: int) -> np.ndarray:
    """The image moved `step` (below 64) pixels to the left: bit x of the result is bit x + step."""
    moved = words >> np.uint64(step)
    moved[:-1] |= words[1:] << np.uint64(WORD - step)
    return moved


def _right(words: np.ndarray, step: int) -> np.ndarray:
    moved = words << np.uint64(step)
    moved[1:] |= words[:-1] >> np.uint64(WORD - step)
    return moved
