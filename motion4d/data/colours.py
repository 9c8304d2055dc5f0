"""Changes of colour that are one for all frames of a clip, on Pillow images: what the published recipes draw from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps


@dataclass(frozen=True)
class Look:
    """Applied in the order of the fields; None: left out.

    brightness, contrast, saturation: factors, 1 changes nothing; hue: part of the full circle, -0.5..0.5; blur_radius:
    Gaussian, pixels; solarize_threshold: grey levels from here on are inverted.
    """

    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    hue: float | None = None
    blur_radius: float | None = None
    solarize_threshold: int | None = None

    def __call__(self, image: Image.Image) -> Image.Image:
        """One frame, RGB."""
        if self.brightness is not None:
            image = ImageEnhance.Brightness(image).enhance(self.brightness)
        if self.contrast is not None:
            image = ImageEnhance.Contrast(image).enhance(self.contrast)
        if self.saturation is not None:
            image = ImageEnhance.Color(image).enhance(self.saturation)
        if self.hue is not None:
            image = turn_hue(image, self.hue)
        if self.blur_radius is not None:
            image = image.filter(ImageFilter.GaussianBlur(self.blur_radius))
        if self.solarize_threshold is not None:
            image = ImageOps.solarize(image, self.solarize_threshold)
        return image


def turn_hue(image: Image.Image, turn: float) -> Image.Image:
    """Hue moved by a part of the full circle, in steps of 1/256, rounded towards 0."""
    hue, saturation, value = image.convert("HSV").split()
    turned = np.asarray(hue) + np.uint8(int(turn * 255) % 256)  # uint8 wraps
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")
