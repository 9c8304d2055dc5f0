"""Which frames of a sequence become a training clip whose length is chosen per batch (PAGE-4D)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from motion4d.data.chance import whole


class FrameWindows(Protocol):
    """Cuts sequences into clips of any length."""

    def count(self, frames: int) -> int:
        """How many clips a sequence of so many frames has; 0: it is too short."""
        ...

    def __call__(self, frames: int, clip: int, length: int) -> list[int]:
        """The `length` frames of clip 0 <= `clip` < count(frames)."""
        ...


@dataclass(frozen=True)
class StridedWindows:
    """A clip for every stride and every `step`-th start s with s + 2 stride <= frames; neighbours lie `stride` apart.

    A window that would leave the sequence grows to its left instead; one for which even that is too little repeats its
    last frame.
    """

    strides: Sequence[int] = (1,)
    step: int = 1

    def __post_init__(self) -> None:
        if not self.strides or min(*self.strides, self.step) < 1:
            raise ValueError(f"strides={list(self.strides)} and step={self.step} must be whole numbers of at least 1")

    def count(self, frames: int) -> int:
        """Clips of a sequence of so many frames."""
        return sum(len(self._starts(frames, stride)) for stride in self.strides)

    def __call__(self, frames: int, clip: int, length: int) -> list[int]:
        """The frames; see FrameWindows."""
        for stride in self.strides:
            starts = self._starts(frames, stride)
            if clip < len(starts):
                window, _ = frame_window(range(frames), (starts[clip], starts[clip] + stride), length)
                return window
            clip -= len(starts)
        raise IndexError(f"a sequence of {frames} frames has {self.count(frames)} clips")

    def _starts(self, frames: int, stride: int) -> range:
        return range(0, frames - 2 * stride + 1, self.step)


@dataclass(frozen=True)
class AnyFrames:
    """One clip per sequence of at least `least` frames: any of them in any order, also twice (CO3D, where no thing
    moves)."""

    least: int = 24

    def count(self, frames: int) -> int:
        """1 or 0."""
        return int(frames >= self.least)

    def __call__(self, frames: int, clip: int, length: int) -> list[int]:
        """The frames; see FrameWindows."""
        return [whole(0, frames - 1) for _ in range(length)]


def frame_window(frames: range, base: tuple[int, int], length: int) -> tuple[list[int], bool]:
    """`length` of `frames` around the pair `base`, as far apart as these, and whether none is repeated.

    The window grows to the right of the pair's first frame, then to its left; if it is still short, its last frame
    is repeated.
    """
    start, stride = base[0], base[1] - base[0]
    right = list(range(start, frames.stop, stride))[:length]
    missing = length - len(right)
    left = list(range(start - stride, frames.start - 1, -stride))[:missing]
    window = left[::-1] + right
    return window + window[-1:] * (length - len(window)), len(window) == length
