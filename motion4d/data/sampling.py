"""Which clips a training step sees: a pure function of (seed, epoch), that can start at any batch.

A killed training goes on with exactly the batches that it would have seen: the order hangs on no global random state,
and the random choices inside a sample (crop, colour) hang on (seed, epoch, index), not on the worker that draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.utils.data import Dataset

from motion4d.clip import Clip


class Clips(Protocol):
    """A dataset: a map from 0..len-1 to clips with B = 1."""

    def __len__(self) -> int:
        """Number of clips."""
        ...

    def __getitem__(self, index: int) -> Clip:
        """One clip."""
        ...


@dataclass(frozen=True)
class BatchShape:
    """What all clips of one batch have in common. frames: of a clip; size: (H, W)."""

    frames: int
    size: tuple[int, int]


Key = tuple[int, int] | tuple[int, int, BatchShape]  # (epoch, index), and the shape where the batch chooses it


class Batches(Protocol):
    """Chooses the size of every batch, and the shape of its clips: a pure function of (seed, epoch)."""

    def per_epoch(self, length: int, *, seed: int, ranks: int) -> int:
        """How many batches a rank has in the first epoch over `length` clips."""
        ...

    def of_rank(
        self, length: int, *, seed: int, rank: int, ranks: int, start: int, stop: int, limit: int | None = None
    ) -> Iterable[list[Key]]:
        """Batches start..stop-1 of one rank, counted since the start of the training.

        What does not fill a batch of all ranks at the end of an epoch is left out. limit: an epoch has at most so many.
        """
        ...


def shaped_clip(clips: Clips, index: int, shape: BatchShape) -> Clip:
    """Clip `index` in this shape; a ValueError if these clips come in one shape only."""
    if not hasattr(clips, "shaped"):
        raise ValueError(
            f"training.batches chooses the frames and the size of each batch, but {type(clips).__name__} has clips of "
            "one shape; set training.batches=null, or choose data whose clips have depth and cameras "
            "(motion4d.data.reshaped.Reshaped for clips in memory)"
        )
    clip: Clip = clips.shaped(index, shape)
    return clip


def epoch_order(length: int, seed: int, epoch: int) -> list[int]:
    """The order of `length` clips in one epoch."""
    generator = torch.Generator().manual_seed(mix(seed, epoch))
    return torch.randperm(length, generator=generator).tolist()


@dataclass(frozen=True)
class EpochBatches:
    """Batches of keys for one rank, from batch `start` to `stop` counted since the start of the training.

    length: clips of the dataset; batch_size: clips per rank and batch. Each global batch of `ranks * batch_size` clips
    is cut into the ranks' parts; what does not fill a global batch at the end of an epoch is left out. limit: an epoch
    has at most so many batches.
    """

    length: int
    batch_size: int
    seed: int = 0
    rank: int = 0
    ranks: int = 1
    start: int = 0
    stop: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.length < self.batch_size * self.ranks:
            raise ValueError(
                f"the training set has {self.length} clips, fewer than the {self.ranks} x {self.batch_size} of one "
                "batch; lower training.batch_size or use more data"
            )

    def __len__(self) -> int:
        """Number of batches."""
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Key]]:
        """The batches, each a list of (epoch, index)."""
        per_epoch = self.length // (self.batch_size * self.ranks)
        per_epoch = per_epoch if self.limit is None else min(per_epoch, self.limit)
        order_epoch, order = -1, []
        for batch in range(self.start, self.stop):
            epoch, within = divmod(batch, per_epoch)
            if epoch != order_epoch:
                order_epoch, order = epoch, epoch_order(self.length, self.seed, epoch)
            first = (within * self.ranks + self.rank) * self.batch_size
            yield [(epoch, index) for index in order[first : first + self.batch_size]]


class SeededClips(Dataset[Clip]):
    """A dataset addressed by (epoch, index), whose torch random numbers are a function of (seed, epoch, index).

    Clips that differ from epoch to epoch have a method `at_epoch` (motion4d.data.epoch_mix).
    """

    def __init__(self, clips: Clips, seed: int) -> None:
        self.clips = clips
        self.seed = seed

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, key: Any) -> Clip:
        """The clip `key = (epoch, index)` or `(epoch, index, shape)`."""
        epoch, index, *shape = key
        clips = self.clips.at_epoch(epoch) if hasattr(self.clips, "at_epoch") else self.clips
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(self.seed, epoch, index))
            return shaped_clip(clips, index, *shape) if shape else clips[index]


def collate(samples: Sequence[Any]) -> Any:
    """A batch of samples of one type, which says itself how they are joined."""
    return type(samples[0]).collate(samples)


def mix(*numbers: int) -> int:
    """Numbers -> one well spread 63-bit seed (multiply, xor-shift; the constant is that of splitmix64)."""
    state = 0
    for number in numbers:
        state = (state ^ (number + 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9 % (1 << 64)
        state ^= state >> 31
    return state % (1 << 63)
