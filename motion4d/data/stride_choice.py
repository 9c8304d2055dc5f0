"""How often pairs of each distance occur in training: distributions over strides (DUSt3R, MonST3R)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from motion4d.data.frame_windows import StridedWindows

Distribution = Callable[[Sequence[int]], NDArray[np.float64]]  # strides -> how likely each is, adding up to 1


def uniform(strides: Sequence[int]) -> NDArray[np.float64]:
    """All alike."""
    return np.full(len(strides), 1 / len(strides))


def exponential(strides: Sequence[int]) -> NDArray[np.float64]:
    """As exp(-stride)."""
    weights = np.exp(-np.asarray(strides, np.float64))
    return weights / weights.sum()


def linear(strides: Sequence[int], *, first: float = 1.0, last: float = 2.0) -> NDArray[np.float64]:
    """The first stride as `first`, the last as `last`, those between on a line; MonST3R's is 1 to 2."""
    weights = np.linspace(first, last, len(strides))
    return weights / weights.sum()


@dataclass(frozen=True)
class ChosenStrides:
    """The clips of StridedWindows(strides, step), so few of each stride that they occur as `distribution` says.

    Of the likeliest stride that a sequence is long enough for all are kept, of the others as many as their share in
    relation to it allows, evenly spread over the sequence. (Published: of a whole data set at once, drawn by a global
    random state.)
    """

    strides: Sequence[int]
    step: int = 1
    distribution: Distribution = linear

    def count(self, frames: int) -> int:
        """Clips of a sequence of so many frames."""
        return sum(kept for kept, _ in self._counts(frames))

    def __call__(self, frames: int, clip: int, length: int) -> list[int]:
        """The frames; see motion4d.data.frame_windows.FrameWindows."""
        for windows, (kept, there) in zip(self._windows, self._counts(frames), strict=True):
            if clip < kept:
                return windows(frames, (2 * clip + 1) * there // (2 * kept), length)
            clip -= kept
        raise IndexError(f"a sequence of {frames} frames has {self.count(frames)} clips")

    @cached_property
    def _windows(self) -> list[StridedWindows]:
        return [StridedWindows([stride], self.step) for stride in self.strides]

    def _counts(self, frames: int) -> list[tuple[int, int]]:
        """Per stride, how many clips are kept and how many there are."""
        there = [windows.count(frames) for windows in self._windows]
        shares = np.where(np.array(there) > 0, self.distribution(self.strides), 0)
        if not shares.any():
            return [(0, 0)] * len(there)
        most = there[int(np.argmax(shares))]
        return [
            (min(count, int(share * most)), count) for count, share in zip(there, shares / shares.max(), strict=True)
        ]
