"""Random changes of colour, sometimes one for a whole clip, sometimes another for every frame (PAGE-4D's recipe)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from motion4d.data.chance import happens, uniform
from motion4d.data.colours import Look

Frames = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class RandomColours:
    """share: of the changes that are made at all; grey: share of those without colour; together: share of the clips
    whose frames all change alike; strength: largest relative change of brightness, contrast and saturation; hue:
    largest turn, part of the circle. The order of the four is drawn too.
    """

    share: float = 0.9
    grey: float = 0.05
    together: float = 0.7
    strength: float = 0.5
    hue: float = 0.1

    def __post_init__(self) -> None:
        if not all(0 <= value <= 1 for value in vars(self).values()) or self.hue > 0.5:
            raise ValueError(f"{self} needs shares and strength within 0 to 1, and hue within 0 to 0.5")

    def __call__(self, frames: Frames) -> list[NDArray[np.uint8]]:
        """Frames [h, w, 3] RGB in other colours."""
        if happens(self.together):
            change = self._drawn()
            return [change(frame) for frame in frames]
        return [self._drawn()(frame) for frame in frames]

    def _drawn(self) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
        looks: list[Look] = []
        if happens(self.share):
            low, high = 1 - self.strength, 1 + self.strength
            parts = (
                Look(brightness=uniform(low, high)),
                Look(contrast=uniform(low, high)),
                Look(saturation=uniform(low, high)),
                Look(hue=uniform(-self.hue, self.hue)),
            )
            looks = [parts[index] for index in torch.randperm(len(parts)).tolist()]
        grey = happens(self.grey)

        def change(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
            image = Image.fromarray(frame)
            for look in looks:
                image = look(image)
            return np.asarray(image.convert("L").convert("RGB") if grey else image)

        return change
