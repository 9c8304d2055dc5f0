"""Learning rate as a pure function of the progress: what a scheduler returns is the factor of the base rate.

Nothing to step, nothing to save: the rate after a resume, or on several ranks, is that of the step number.
"""

from __future__ import annotations

import math
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


def _warm_up(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / (warmup + 1))


def _half_cosine(done: float, final: float) -> float:
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
