"""Batches that each draw one size of a pool (DUSt3R, MonST3R): a pure function of (seed, epoch), resumable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from motion4d.data.sampling import BatchShape, Key

_SEED = 777  # published; the epoch is added


@dataclass(frozen=True)
class PoolBatches:
    """clips: per rank and batch; frames: of a clip; sizes: the pool of (H, W). Ranks may have different sizes."""

    clips: int
    sizes: Sequence[tuple[int, int]]
    frames: int = 2

    def __post_init__(self) -> None:
        if self.clips < 1 or self.frames < 1 or not self.sizes:
            raise ValueError("training.batches needs clips and frames of at least 1, and sizes to draw from")

    def per_epoch(self, length: int, *, seed: int, ranks: int) -> int:
        """See motion4d.data.sampling.Batches."""
        return length // (self.clips * ranks)

    def items(self, length: int, *, seed: int, epoch: int, rank: int, ranks: int) -> list[tuple[int, int]]:
        """Clip and number of the size, of all that a rank sees in an epoch, batch after batch."""
        count = self.per_epoch(length, seed=seed, ranks=ranks) * self.clips
        generator = np.random.default_rng(epoch + _SEED if seed == 0 else (epoch + _SEED, seed))
        order = np.arange(count * ranks)
        generator.shuffle(order)
        sizes = generator.integers(len(self.sizes), size=len(order) // self.clips).repeat(self.clips)
        mine = slice(rank * count, (rank + 1) * count)
        return list(zip(order[mine].tolist(), sizes[mine].tolist(), strict=True))

    def of_rank(
        self, length: int, *, seed: int, rank: int, ranks: int, start: int, stop: int, limit: int | None = None
    ) -> Iterator[list[Key]]:
        """See motion4d.data.sampling.Batches; a ValueError if the clips do not fill one batch."""
        per_epoch = self.per_epoch(length, seed=seed, ranks=ranks)
        if per_epoch < 1:
            raise ValueError(
                f"the training set has {length} clips, fewer than the {ranks} x {self.clips} of one batch; lower "
                "training.batches.clips or use more data"
            )
        per_epoch = per_epoch if limit is None else min(per_epoch, limit)
        of_epoch, items = -1, []
        for batch in range(start, stop):
            epoch, within = divmod(batch, per_epoch)
            if epoch != of_epoch:
                of_epoch, items = epoch, self.items(length, seed=seed, epoch=epoch, rank=rank, ranks=ranks)
            part = items[within * self.clips : (within + 1) * self.clips]
            height, width = self.sizes[part[0][1]]
            yield [(epoch, index, BatchShape(self.frames, (height, width))) for index, _ in part]
