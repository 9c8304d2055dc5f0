"""A clip in which only the camera moves, made of one frame: the frame is shifted and scaled along a smooth path.

The published "stop" view of GeoMotion (Zhou et al. 2026): whatever was moving stands still, so its mask is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

BORDER = 5  # pixels of the frame's border that give the colour beyond it


@dataclass(frozen=True)
class CameraPath:
    """Per frame: shift in pixels (x, y), and scale about the image centre."""

    dx: NDArray[np.int64]
    dy: NDArray[np.int64]
    scale: NDArray[np.float64]

    def place(self, image: Image.Image, index: int, *, fill: int | tuple[int, ...], smooth: bool) -> Image.Image:
        """The image as frame `index` shows it: bilinear if `smooth`, else nearest; `fill` beyond its border."""
        (width, height), inverse = image.size, 1.0 / float(self.scale[index])
        # in this order of operations: another rounding would flip pixels
        x = inverse * (-width / 2 - int(self.dx[index])) + width / 2
        y = inverse * (-height / 2 - int(self.dy[index])) + height / 2
        matrix = (inverse, 0.0, x, 0.0, inverse, y)
        resampling = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
        return image.transform(image.size, Image.Transform.AFFINE, matrix, resampling, fillcolor=fill)


def smooth_path(
    num_frames: int,
    crop_width: int,
    *,
    signs: tuple[int, int] = (1, 1),
    translate_share: float = 0.1,
    scale_amplitude: float = 0.08,
) -> CameraPath:
    """The path over a crop of this width: translate_share of it to the side and half of that up or down."""
    across = int(crop_width * translate_share)
    times = np.linspace(0, np.pi, num_frames)
    return CameraPath(
        signs[0] * _offsets(across, num_frames),
        signs[1] * _offsets(round(across / 2), num_frames),
        1 + scale_amplitude * np.sin(2 * times),
    )


def flicker(num_frames: int, amplitude: float = 0.08) -> NDArray[np.float64]:
    """Brightness factor of every frame: a sine whose period is 0.8 of the clip."""
    return 1 + amplitude * np.sin(2 * np.pi * np.arange(num_frames) / (0.8 * num_frames))


def stopped(image: Image.Image, path: CameraPath, brightness: NDArray[np.float64]) -> list[Image.Image]:
    """The clip: `image` along the path, its border continued in its own colour."""
    colour = border_colour(image)
    frames = (path.place(image, index, fill=colour, smooth=True) for index in range(len(path.dx)))
    return [
        ImageEnhance.Brightness(frame).enhance(float(factor)) for frame, factor in zip(frames, brightness, strict=True)
    ]


def border_colour(image: Image.Image) -> tuple[int, ...]:
    """Mean of the four borders' means, cut to whole numbers; of the whole image if a side is under two borders."""
    pixels = np.asarray(image)
    if min(image.size) < 2 * BORDER:
        parts = [pixels]
    else:
        parts = [pixels[:BORDER], pixels[-BORDER:], pixels[:, :BORDER], pixels[:, -BORDER:]]
    return tuple(int(value) for value in np.mean([part.mean(axis=(0, 1)) for part in parts], axis=0))


def _offsets(total: int, num_frames: int) -> NDArray[np.int64]:
    """Whole offsets from 0 to `total`, slow at both ends (steps like a Hann window), none of them standing still."""
    if num_frames == 1:
        return np.zeros(1, np.int64)
    count = num_frames - 1
    weights = np.hanning(count) + 1e-3
    least = 1 if total >= count else total // count
    steps = np.maximum(np.rint(weights / weights.sum() * total).astype(np.int64), least)
    order = np.argsort(-weights)
    while (missing := total - steps.sum()) != 0:
        if missing < 0:
            order_down = [k for k in np.argsort(-steps) if steps[k] > least][:-missing]
            steps[order_down] -= 1
        else:
            steps[order[:missing]] += 1
    return np.concatenate([[0], np.cumsum(steps)])
