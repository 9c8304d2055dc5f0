"""GeoMotion's augmentation (Zhou et al. 2026): each clip is shown in one of three ways, drawn before it is made.

- standard: sometimes a little brighter or darker; what moves is labelled as it is.
- semantic: strong changes of colour, blur, solarisation; what moves is the same.
- stop: one frame under a moving camera (motion4d.data.stop_view); nothing moves, the masks are empty.

All of them are mirrored half of the time and cropped, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from motion4d.data.chance import happens, one_of, uniform
from motion4d.data.colours import Look
from motion4d.data.crops import Crop
from motion4d.data.pictures import Box, Pictures
from motion4d.data.stop_view import flicker, smooth_path, stopped


@dataclass(frozen=True)
class ThreeViews:
    """semantic_share, stop_share: of the clips that are shown in these ways; the others are standard."""

    semantic_share: float = 0.35
    stop_share: float = 0.15
    mirrored_share: float = 0.5

    def __post_init__(self) -> None:
        if min(self.semantic_share, self.stop_share) < 0 or self.semantic_share + self.stop_share > 1:
            raise ValueError(
                f"semantic_share={self.semantic_share} and stop_share={self.stop_share} are shares of all clips: "
                "at least 0, together at most 1"
            )

    def __call__(self, pictures: Pictures, crop: Crop) -> Pictures:
        """One view of a clip."""
        standard_share = 1 - self.semantic_share - self.stop_share
        drawn = uniform(0, 1)
        mirrored = happens(self.mirrored_share)
        box = crop((pictures.mirrored() if mirrored else pictures).masks)
        if drawn < standard_share:
            pictures = _coloured(pictures, standard_look())
        elif drawn < standard_share + self.semantic_share:
            pictures = _coloured(pictures, semantic_look())
        else:
            pictures = _stopped(pictures, box)
        return (pictures.mirrored() if mirrored else pictures).cropped(box)


def standard_look() -> Look:
    """A fifth of the clips: brightness and contrast within 10 %."""
    return Look(brightness=uniform(0.9, 1.1), contrast=uniform(0.9, 1.1)) if happens(0.2) else Look()


def semantic_look() -> Look:
    """Brightness and contrast within 50 %, any saturation, hue within a tenth of the circle, often blurred."""
    return Look(
        brightness=uniform(0.5, 1.5),
        contrast=uniform(0.5, 1.5),
        saturation=uniform(0, 2),
        hue=uniform(-0.1, 0.1),
        blur_radius=uniform(1, 3) if happens(0.4) else None,
        solarize_threshold=128 if happens(0.2) else None,
    )


def _coloured(pictures: Pictures, look: Look) -> Pictures:
    return Pictures([look(image) for image in pictures.images], pictures.masks)


def _stopped(pictures: Pictures, box: Box) -> Pictures:
    count = len(pictures.images)
    path = smooth_path(count, box.width, signs=(one_of((1, -1)), one_of((1, -1))))
    images = stopped(pictures.images[count // 2], path, flicker(count))
    return Pictures(images, [Image.new("L", pictures.size)] * count)
