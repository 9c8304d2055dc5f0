"""Which frames of a video become a clip: small rules, called with the number of labelled frames.

Published: GeoMotion (Zhou et al. 2026). There, indices beyond the end of a video repeat its last frame together with
its mask, so that a frozen frame counts as moving; `repeat_last` brings that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from motion4d.data.chance import one_of, whole


class FrameChoice(Protocol):
    """num_frames: of a clip; videos with fewer frames are left out."""

    num_frames: int

    def __call__(self, count: int) -> list[int]:
        """`num_frames` indices into a video of `count` frames, at least `num_frames`."""
        ...


@dataclass(frozen=True)
class Strided:
    """Every stride-th frame from a random start, or in the middle of the video if `centred`.

    strides: one is drawn per clip; where it leads beyond the end, the largest one that fits is taken instead, unless
    `repeat_last`. The start lies in 0..max(0, count - num_frames * stride), published.
    """

    num_frames: int
    strides: Sequence[int] = (1,)
    centred: bool = False
    repeat_last: bool = False

    def __post_init__(self) -> None:
        if self.num_frames < 1 or not self.strides or min(self.strides) < 1:
            raise ValueError(
                f"a clip needs at least one frame and strides of at least 1, but got num_frames={self.num_frames}, "
                f"strides={list(self.strides)}"
            )

    def __call__(self, count: int) -> list[int]:
        """The indices; see FrameChoice."""
        stride = one_of(self.strides)
        if not self.repeat_last and self.num_frames > 1:
            stride = min(stride, (count - 1) // (self.num_frames - 1))
        room = max(0, count - self.num_frames * stride)
        start = room // 2 if self.centred else whole(0, room)
        return [min(start + k * stride, count - 1) for k in range(self.num_frames)]


@dataclass(frozen=True)
class Thinned:
    """Every `step`-th frame from a random offset, of which `num_frames` neighbours are taken (Dynamic Replica's rule).

    If fewer remain, neighbours in the video itself. centred: offset 0 and the middle instead of random ones.
    """

    num_frames: int
    step: int = 4
    centred: bool = False

    def __post_init__(self) -> None:
        if min(self.num_frames, self.step) < 1:
            raise ValueError(f"num_frames={self.num_frames} and step={self.step} must both be at least 1")

    def __call__(self, count: int) -> list[int]:
        """The indices; see FrameChoice."""
        offset = 0 if self.centred else whole(0, self.step - 1)
        kept = list(range(offset, count, self.step))
        if len(kept) < self.num_frames:
            kept = list(range(count))
        room = len(kept) - self.num_frames
        start = room // 2 if self.centred else whole(0, room)
        return kept[start : start + self.num_frames]
