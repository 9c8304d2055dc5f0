"""Training: how long a model is fitted, in what batches, and how often what happens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from motion4d.data.sampling import Batches, EpochBatches, Key
from motion4d.engine.ema import Ema
from motion4d.engine.progress import Progress

_OPTIONAL = ("steps", "epochs", "eval_every", "checkpoint_every", "batches_per_epoch")
_COUNTS = (*_OPTIONAL, "batch_size", "accumulation", "log_every", "keep")


@dataclass
class Training:
    """Exactly one of steps and epochs is given.

    steps: optimizer steps; batch_size: clips per rank and batch; batches: what chooses the size of each batch, and the
    frames and the image size of its clips, instead of batch_size; batches_per_epoch: an epoch ends after so many, None:
    when all clips were seen; accumulation: batches per step; clip_norm: largest gradient norm, None: not clipped;
    clip_groups: patterns of parameter names, each clipped by itself, None: all together; *_every: steps; keep:
    checkpoints on disk; pictures: sequences drawn at the end.
    """

    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 1
    batches: Batches | None = None
    batches_per_epoch: int | None = None
    accumulation: int = 1
    clip_norm: float | None = 1.0
    clip_groups: Sequence[str] | None = None
    log_every: int = 20
    eval_every: int | None = None
    checkpoint_every: int | None = 200
    keep: int = 2
    pictures: int = 4
    ema: Ema | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of training.steps and training.epochs, and null for the other")
        for name in _COUNTS:
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= 1) and not (value is None and name in _OPTIONAL):
                raise ValueError(f"training.{name} must be a whole number of at least 1, but it is {value!r}")

    def progress(self, num_clips: int, *, seed: int, ranks: int) -> Progress:
        """The progress of a training that has not begun."""
        progress = Progress(1, seed, num_clips, self.batch_size, self.accumulation, ranks, limit=self.batches_per_epoch)
        if self.batches is not None:
            progress.batches = str(self.batches)
            progress.epoch_length = max(1, self.batches.per_epoch(num_clips, seed=seed, ranks=ranks))
        if self.steps is not None:
            progress.steps = self.steps
        else:
            progress.steps = math.ceil((self.epochs or 1) * progress.batches_per_epoch / self.accumulation)
        return progress

    def remaining(self, progress: Progress, *, rank: int) -> Iterable[list[Key]]:
        """The batches of one rank from the current one to the last."""
        stop = progress.steps * self.accumulation
        share = {"seed": progress.seed, "rank": rank, "ranks": progress.ranks, "start": progress.batch, "stop": stop}
        limit = self.batches_per_epoch
        if self.batches is not None:
            return self.batches.of_rank(progress.num_clips, limit=limit, **share)
        return EpochBatches(progress.num_clips, self.batch_size, limit=limit, **share)
