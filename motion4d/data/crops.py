"""Which part of a clip is kept: one box for all its frames, chosen by a rule that sees the masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from motion4d.data.chance import uniform, whole
from motion4d.data.pictures import Box

Crop = Callable[[Sequence[Image.Image]], Box]  # masks of the clip, as they are when the crop is made


@dataclass(frozen=True)
class WholeFrame:
    """Everything."""

    def __call__(self, masks: Sequence[Image.Image]) -> Box:
        """The box."""
        return Box(0, 0, *masks[0].size)


@dataclass(frozen=True)
class CentreSquare:
    """The largest square in the middle."""

    def __call__(self, masks: Sequence[Image.Image]) -> Box:
        """The box."""
        width, height = masks[0].size
        side = min(width, height)
        return Box((width - side) // 2, (height - side) // 2, side, side)


@dataclass(frozen=True)
class RandomSquare:
    """A square anywhere; its side is the frame's shorter one times a number drawn from `scale`."""

    scale: tuple[float, float] = (0.8, 1.0)

    def __call__(self, masks: Sequence[Image.Image]) -> Box:
        """The box."""
        width, height = masks[0].size
        side = int(min(width, height) * uniform(*self.scale))
        return Box(whole(0, width - side), whole(0, height - side), side, side)


@dataclass(frozen=True)
class SquareAroundMotion:
    """The largest square, moved as near as the frame allows to the middle of what moves; anywhere if nothing does."""

    def __call__(self, masks: Sequence[Image.Image]) -> Box:
        """The box."""
        width, height = masks[0].size
        side = min(width, height)
        boxes = [box for box in (mask.getbbox() for mask in masks) if box is not None]  # upper ends exclusive
        if not boxes:
            return Box(whole(0, width - side), whole(0, height - side), side, side)
        centre_x = (min(box[0] for box in boxes) + max(box[2] for box in boxes)) // 2
        centre_y = (min(box[1] for box in boxes) + max(box[3] for box in boxes)) // 2
        x = min(max(centre_x - side // 2, 0), width - side)
        y = min(max(centre_y - side // 2, 0), height - side)
        return Box(x, y, side, side)
