"""Random decisions of a sample, from torch's generator, which motion4d.data.sampling seeds by (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

T = TypeVar("T")


def happens(probability: float) -> bool:
    """True with this probability."""
    return float(torch.rand(())) < probability


def uniform(low: float, high: float) -> float:
    """A number in [low, high)."""
    return low + (high - low) * float(torch.rand(()))


def whole(low: int, high: int) -> int:
    """A whole number in low..high, both included."""
    return int(torch.randint(low, high + 1, ()))


def one_of(values: Sequence[T]) -> T:
    """One of the values."""
    return values[whole(0, len(values) - 1)]
