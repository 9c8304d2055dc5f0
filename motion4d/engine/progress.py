"""Progress: where a training stands. It travels to the model and the schedule, and into every checkpoint."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

# what must not change between a checkpoint and the run that goes on from it
_FIXED = ("seed", "num_clips", "batch_size", "accumulation", "ranks", "batches", "limit")


@dataclass
class Progress:
    """Counters of a training of `steps` optimizer steps.

    step: optimizer steps done; num_clips: clips of the training set; batch_size: clips per rank and batch;
    accumulation: batches per optimizer step; ranks: processes that train together. batches: how batches choose their
    shapes, "" if all are alike; epoch_length: batches per epoch where they are not; limit: most batches of an epoch.
    """

    steps: int
    seed: int = 0
    num_clips: int = 1
    batch_size: int = 1
    accumulation: int = 1
    ranks: int = 1
    step: int = 0
    batches: str = ""
    epoch_length: int | None = None
    limit: int | None = None

    @property
    def batch(self) -> int:
        """Batches that each rank has consumed since the start."""
        return self.step * self.accumulation

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one epoch, per rank: a pass over the training set, or as much of it as the limit allows."""
        whole = self.epoch_length or max(1, self.num_clips // (self.batch_size * self.ranks))
        return whole if self.limit is None else min(whole, self.limit)

    @property
    def epoch(self) -> int:
        """Passes over the training set that are complete."""
        return self.batch // self.batches_per_epoch

    @property
    def epochs(self) -> float:
        """Passes over the training set in the whole training."""
        return self.steps * self.accumulation / self.batches_per_epoch

    @property
    def clips_per_step(self) -> int:
        """The effective batch: clips per optimizer step, all ranks together; the mean where batches differ."""
        if self.epoch_length is not None:
            return round(self.num_clips / self.epoch_length * self.accumulation)
        return self.batch_size * self.accumulation * self.ranks

    def state_dict(self) -> dict[str, Any]:
        """Everything, as plain numbers."""
        return dataclasses.asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the step of a checkpoint; a ValueError if the runs cannot be continued into each other."""
        for name in _FIXED:
            written = state.get(name, getattr(Progress, name))  # a checkpoint older than the field: its default
            if written != getattr(self, name):
                raise ValueError(
                    f"the checkpoint was written with {name}={written}, this run has {name}={getattr(self, name)}: "
                    "the same numbers cannot be reached; restore it, or start a new run in another output folder"
                )
        self.step = state["step"]
