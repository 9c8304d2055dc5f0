"""Pictures of what a sample holds beside its frames: depth as colours, instances and tracks laid over the frames."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from motion4d.viz.colours import BACKGROUND, heat

_TINT = 0.55  # share of an instance's colour in the mix
_GOLDEN = 0.618034  # of the colour circle from one instance to the next: neighbours differ, and none comes twice soon
_TRAIL = 8  # frames that a trail reaches back
_LEAST_WIDTH = 480  # pixels; smaller frames are enlarged, so that trails can be told apart


def depth_colours(depth: NDArray[np.floating], low: float, high: float) -> NDArray[np.uint8]:
    """Depth [H, W] -> [H, W, 3]: near is bright, evenly in log z from `low` to `high`; grey: none (z <= 0, NaN)."""
    known = np.isfinite(depth) & (depth > 0)
    place = np.log(np.where(known, depth, 1.0)) - np.log(low)
    far = place / max(np.log(high) - np.log(low), 1e-9)
    return np.where(known[..., None], heat(1 - far), np.asarray(BACKGROUND, np.uint8))


def instance_overlay(image: NDArray[np.uint8], instances: NDArray[np.integer]) -> NDArray[np.uint8]:
    """image [H, W, 3] and ids [H, W] -> [H, W, 3]: every id but 0 tinted in a colour of its own."""
    picture = image.copy()
    for number in np.unique(instances[instances != 0]):
        inside = instances == number
        colour = np.array(_colour(int(number) * _GOLDEN))
        picture[inside] = ((1 - _TINT) * image[inside] + _TINT * colour).astype(np.uint8)
    return picture


def track_frames(
    images: NDArray[np.uint8], positions: NDArray[np.floating], visibility: NDArray[np.bool_]
) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame with the points that show in it and the ways they came.

    images [N, H, W, 3]; positions [N, P, 2] (x, y in pixels), visibility [N, P]. Colours follow the place of a point in
    its first frame.
    """
    scale = max(1, -(-_LEAST_WIDTH // images.shape[2]))
    height, width = images.shape[1:3]
    colours = [_colour(x / width + 0.37 * y / height) for x, y in positions[0]]
    for frame, image in enumerate(images):
        picture = Image.fromarray(image).resize((width * scale, height * scale), Image.Resampling.BILINEAR)
        draw = ImageDraw.Draw(picture)
        for point in np.flatnonzero(visibility[frame]):
            start = frame
            while start > max(0, frame - _TRAIL) and visibility[start - 1, point]:
                start -= 1
            way = [((x + 0.5) * scale, (y + 0.5) * scale) for x, y in positions[start : frame + 1, point]]
            x, y = way[-1]
            draw.line(way, fill=colours[point], width=2)
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colours[point])
        yield np.asarray(picture)


def _colour(hue: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
