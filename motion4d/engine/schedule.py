"""Learning rate as a pure function of the progress: what a scheduler returns is the factor of the base rate.

Nothing to step, nothing to save: the rate after a resume, or on several ranks, is that of the step number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from motion4d.engine.progress import Progress


class Schedule(Protocol):
    """Progress -> factor of the base learning rate, for the optimizer step that comes next."""

    def __call__(self, progress: Progress) -> float:
        """The factor, usually in [0, 1]."""
        ...


@dataclass(frozen=True)
class Constant:
    """Linear warm-up over `warmup` steps, then 1."""

    warmup: int = 0

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        return _warm_up(progress.step, self.warmup)


@dataclass(frozen=True)
class Cosine:
    """Linear warm-up over `warmup` steps, then half a cosine from 1 to `final` at the last step."""

    warmup: int = 0
    final: float = 0.0

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        done = max(0, progress.step - self.warmup) / max(1, progress.steps - self.warmup)
        return _warm_up(progress.step, self.warmup) * _half_cosine(done, self.final)


@dataclass(frozen=True)
class CosinePerEpoch:
    """Half a cosine from 1 to `final` that changes once per epoch (torch's CosineAnnealingLR, T_max = epochs)."""

    final: float = 0.0

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        return _half_cosine(progress.epoch / max(1.0, progress.epochs), self.final)


@dataclass(frozen=True)
class CosineInEpochs:
    """Linear from 0 over `warmup` epochs, then half a cosine from 1 to `final` at the last one (DUSt3R, MonST3R).

    Epochs are counted in fractions, at the first batch of a step. The very first step has the rate 0, as published.
    """

    warmup: float = 3.0
    final: float = 0.02

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        return self.at(progress.batch / progress.batches_per_epoch, progress.epochs)

    def at(self, epoch: float, epochs: float) -> float:
        """The factor after `epoch` of `epochs` passes over the training set."""
        if epoch < self.warmup:
            return epoch / self.warmup
        return _half_cosine((epoch - self.warmup) / max(1e-9, epochs - self.warmup), self.final)


@dataclass(frozen=True)
class MultiStep:
    """1, times `gamma` for each of the milestones, in complete epochs, that lies behind (torch's MultiStepLR)."""

    milestones: Sequence[int] = (25, 27)
    gamma: float = 0.1

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        factor: float = self.gamma ** sum(progress.epoch >= milestone for milestone in self.milestones)
        return factor


@dataclass(frozen=True)
class LinearThenCosine:
    """From `start` linearly to 1 over the first share `warm_up` of all steps, then half a cosine down to `final`.

    PAGE-4D's schedules: shares of the training, not steps.
    """

    warm_up: float = 0.05
    start: float = 1e-3
    final: float = 1e-3

    def __call__(self, progress: Progress) -> float:
        """The factor for the step that comes next."""
        share = progress.step / progress.steps
        return linear_then_cosine(share, start=self.start, peak=1.0, end=self.final, warm_up=self.warm_up)


def linear_then_cosine(progress: float, *, start: float, peak: float, end: float, warm_up: float) -> float:
    """start + (peak - start) u up to the share `warm_up`, then end + (peak - end) (1 + cos(pi u)) / 2.

    u in [0, 1]: where `progress` in [0, 1] lies within its part; the second part begins 1e-6 before the boundary.
    """
    if progress + 1e-6 <= warm_up:
        return start + (peak - start) * progress / warm_up
    done = (progress - warm_up) / (1 - warm_up)
    return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, done))))


def _warm_up(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def _half_cosine(done: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
