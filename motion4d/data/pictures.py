"""The frames of one clip as Pillow images, on their way from files to tensors: what augmentations change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor


class Box(NamedTuple):
    """A rectangle of pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """images: RGB; masks: grey, 0 or 255 (moving); all of one size."""

    images: Sequence[Image.Image]
    masks: Sequence[Image.Image]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), Pillow's order."""
        return self.images[0].size

    def map(self, change: Callable[[Image.Image], Image.Image]) -> Pictures:
        """The same change of every image and mask."""
        return Pictures([change(image) for image in self.images], [change(mask) for mask in self.masks])

    def mirrored(self) -> Pictures:
        """Left and right exchanged."""
        return self.map(lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))

    def cropped(self, box: Box) -> Pictures:
        """The part inside the box."""
        return self.map(lambda image: image.crop((box.x, box.y, box.x + box.width, box.y + box.height)))

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Images [1, N, 3, H, W] float in [0, 1] and masks [1, N, H, W] bool."""
        images = torch.from_numpy(np.stack([np.asarray(image) for image in self.images]))
        masks = torch.from_numpy(np.stack([np.asarray(mask) > 0 for mask in self.masks]))
        return images.permute(0, 3, 1, 2)[None].float() / 255, masks[None]
