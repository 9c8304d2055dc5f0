"""Small random draws on a numpy Generator, and smooth curves over the frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]
Choice = TypeVar("Choice")


def uniform(rng: Generator, bounds: tuple[float, float]) -> float:
    """A number between the bounds."""
    return float(rng.uniform(bounds[0], bounds[1]))


def log_uniform(rng: Generator, bounds: tuple[float, float]) -> float:
    """A positive number between the bounds, small ones as likely as large ones per octave."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def count(rng: Generator, bounds: tuple[float, float]) -> int:
    """A whole number between the bounds, both included."""
    return int(rng.integers(int(bounds[0]), int(bounds[1]) + 1))


def happens(rng: Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def sign(rng: Generator) -> float:
    """-1 or 1."""
    return 1.0 if rng.random() < 0.5 else -1.0


def choose(rng: Generator, weighted: Sequence[tuple[float, Choice]]) -> Choice:
    """One of the things, by relative weight."""
    weights = np.array([weight for weight, _ in weighted], dtype=np.float64)
    if weights.min() < 0 or weights.sum() <= 0:
        raise ValueError(f"weights of a choice must be >= 0 and not all 0, but they are {weights.tolist()}")
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][1]


def direction(rng: Generator) -> Array:
    """[3] a unit vector, uniform on the sphere."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def wobble(rng: Generator, times: Array, period: float, channels: int) -> Array:
    """[N, channels] smooth, zero-mean curves of about unit size: sums of sines around this period (in frames)."""
    curves = np.zeros((len(times), channels))
    for weight in (0.8, 0.5, 0.3):
        frequency = rng.uniform(0.5, 1.8, channels) / period
        curves += weight * np.sin(2 * np.pi * (times[:, None] * frequency + rng.random(channels)))
    return curves


def activity(rng: Generator, num_frames: int) -> Array:
    """[N] in [0, 1]: how fast an object that stops, starts or pauses is going; exactly 0 while it stands still."""
    times = np.arange(num_frames, dtype=np.float64)
    first, second = np.sort(rng.uniform(0.2, 0.8, 2)) * num_frames
    stops = np.clip((first + 1 - times) / 1.5, 0, 1)
    starts = np.clip((times - second) / 1.5, 0, 1)
    return choose(rng, ((1.0, stops), (1.0, starts), (0.7, np.maximum(stops, starts))))
