"""Random brightness, contrast and saturation of a part of the clips."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from motion4d.data.chance import happens, uniform
from motion4d.data.colours import Look
from motion4d.data.crops import Crop
from motion4d.data.pictures import Pictures


@dataclass(frozen=True)
class Jitter:
    """share: of the clips that are changed; strength: largest relative change of each factor.

    The factors are drawn once per clip and the order in which they act once per frame, as published by GeoMotion
    (Zhou et al. 2026) for Dynamic Replica.
    """

    share: float = 0.3
    strength: float = 0.2

    def __call__(self, pictures: Pictures, crop: Crop) -> Pictures:
        """One view of a clip."""
        if happens(self.share):
            low, high = 1 - self.strength, 1 + self.strength
            looks = [
                Look(brightness=uniform(low, high)),
                Look(contrast=uniform(low, high)),
                Look(saturation=uniform(low, high)),
            ]
            images = []
            for image in pictures.images:
                for index in torch.randperm(len(looks)).tolist():
                    image = looks[index](image)
                images.append(image)
            pictures = Pictures(images, pictures.masks)
        return pictures.cropped(crop(pictures.masks))
