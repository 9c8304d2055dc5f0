"""What the room agrees on: a refiner, the tracker that it may stand on, and the prompts that a tracker takes.

A refiner sees one window of a video at a time; whoever calls it cuts a long video into windows of its `window` frames
with `overlap` of them shared, so that memory does not grow with length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


class Refiner(Protocol):
    """window: frames that it wants at once; overlap: frames that neighbouring windows share."""

    window: int
    overlap: int

    def load(self) -> None:
        """Read what has to be read from files (weights), if that was not done before."""
        ...

    def __call__(self, images: Tensor, probabilities: Tensor, *, threshold: float) -> Tensor:
        """Masks [N, H, W] bool of one window.

        images [N, 3, H, W], uint8 or float in [0, 1]; probabilities [N, H, W] that a pixel moves; threshold: above
        which a pixel counts as moving where the refiner has nothing better to say.
        """
        ...


@dataclass(frozen=True)
class Points:
    """Clicks on one frame: positions [P, 2] (x, y in pixels), labels [P] (1: on the object, 0: not on it)."""

    positions: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Box:
    """A box around the object: left, top, right, bottom in pixels."""

    left: float
    top: float
    right: float
    bottom: float


Prompt = Tensor | Points | Box  # a tensor is a mask [H, W] bool
Prompts = Mapping[int, Mapping[int, Prompt]]  # object id -> frame -> prompt


class MaskTracker(Protocol):
    """Follows objects through a clip, from prompts on some of its frames."""

    def load(self) -> None:
        """Read the weights, if that was not done before."""
        ...

    def encode(self, images: Tensor) -> Any:
        """images [N, 3, H, W] -> whatever `propagate` needs of them; serves any number of propagations."""
        ...

    def propagate(
        self, clip: Any, prompts: Prompts, *, start: int = 0, reverse: bool = False
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield (frame, logits [objects, H, W]) from frame `start` to the last one, or (reverse) to the first.

        Objects are in the order of `prompts`; prompts of frames outside that range are known from the beginning.
        """
        ...
