"""Batches that each choose their number of frames and their aspect: a pure function of (seed, epoch), resumable.

VGGT and PAGE-4D are trained on them. Published: frames are drawn from the global random state, which
differs between ranks, and aspects from a state that no checkpoint holds; here all ranks have the same shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from motion4d.data.sampling import BatchShape, Key, epoch_order, mix

_SHAPES = 1  # tells the draws of the shapes from those of the order


@dataclass(frozen=True)
class DynamicBatches:
    """frames: fewest and most per clip, all equally likely; aspect: range of height / width, in steps of 0.01; width:
    pixels; max_images: a batch has max(1, max_images // frames) clips; patch: sides are multiples of it.
    """

    max_images: int = 32
    frames: tuple[int, int] = (2, 16)
    aspect: tuple[float, float] = (0.33, 1.0)
    width: int = 518
    patch: int = 14

    def __post_init__(self) -> None:
        low, high = self.frames
        if not 1 <= low <= high <= self.max_images:
            raise ValueError(
                f"training.batches: frames={list(self.frames)} must be two rising numbers, at least 1 and at most "
                f"max_images={self.max_images}"
            )
        narrow, wide = self.aspect
        if not 0 < narrow <= wide or self.patch < 1 or min(image_size(self.width, narrow, self.patch)) < 1:
            raise ValueError(
                f"training.batches: aspect={list(self.aspect)} must be two rising positive numbers, and width="
                f"{self.width} must give at least one patch of {self.patch} pixels in height and width"
            )

    def per_epoch(self, length: int, *, seed: int, ranks: int) -> int:
        """See motion4d.data.sampling.Batches."""
        return len(self.sizes(length, seed=seed, epoch=0, ranks=ranks))

    def of_rank(
        self, length: int, *, seed: int, rank: int, ranks: int, start: int, stop: int, limit: int | None = None
    ) -> ShapedBatches:
        """See motion4d.data.sampling.Batches."""
        return ShapedBatches(self, length, seed=seed, rank=rank, ranks=ranks, start=start, stop=stop, limit=limit)

    def sizes(self, length: int, *, seed: int, epoch: int, ranks: int) -> list[tuple[int, BatchShape]]:
        """Clips per rank, and shape, of every batch of an epoch over `length` clips.

        What does not fill the next batch of all ranks is left out.
        """
        (low, high), (narrow, wide) = self.frames, self.aspect
        generator = torch.Generator().manual_seed(mix(seed, epoch, _SHAPES))
        most = length // (ranks * (self.max_images // high))
        frames = torch.randint(low, high + 1, (most,), generator=generator)
        aspects = narrow + (wide - narrow) * torch.rand(most, generator=generator, dtype=torch.float64)
        counts = self.max_images // frames
        fits = int((counts.cumsum(0) * ranks <= length).sum())
        shapes = zip(counts[:fits].tolist(), frames[:fits].tolist(), aspects[:fits].tolist(), strict=True)
        return [(count, BatchShape(n, image_size(self.width, round(a, 2), self.patch))) for count, n, a in shapes]


def image_size(width: int, aspect: float, patch: int) -> tuple[int, int]:
    """(H, W) of images that are `width` wide: H = width * aspect; both are rounded down to multiples of the patch."""
    return int(width * aspect) // patch * patch, width // patch * patch


@dataclass(frozen=True)
class ShapedBatches:
    """The batches of one rank, as motion4d.data.sampling.EpochBatches has them, in the shapes that `batches` draws."""

    batches: DynamicBatches
    length: int
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    start: int = 0
    stop: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        largest = self.ranks * (self.batches.max_images // self.batches.frames[0])
        if self.length < largest:
            raise ValueError(
                f"the training set has {self.length} clips, fewer than the {largest} of the largest batch; "
                "lower training.batches.max_images or use more data"
            )

    def __len__(self) -> int:
        """Number of batches."""
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Key]]:
        """The batches, each a list of (epoch, index, shape)."""
        epoch, first = 0, 0  # the epoch's number, and that of its first batch
        while first < self.stop:
            sizes = self._sizes(epoch)
            if self.start < first + len(sizes):
                yield from self._epoch(epoch, sizes, max(0, self.start - first), self.stop - first)
            epoch, first = epoch + 1, first + len(sizes)

    def _epoch(self, epoch: int, sizes: list[tuple[int, BatchShape]], start: int, stop: int) -> Iterator[list[Key]]:
        """Batches start..stop-1 of an epoch, as far as it has them."""
        order = epoch_order(self.length, self.seed, epoch)
        place = 0
        for number, (count, shape) in enumerate(sizes[:stop]):
            mine = place + self.rank * count
            place += self.ranks * count
            if number >= start:
                yield [(epoch, index, shape) for index in order[mine : mine + count]]

    def _sizes(self, epoch: int) -> list[tuple[int, BatchShape]]:
        return self.batches.sizes(self.length, seed=self.seed, epoch=epoch, ranks=self.ranks)[: self.limit]
