"""Camera trajectories from above, so to say: on the two axes along which the true positions vary most."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT

_SIZE, _BORDER = 480, 40  # pixels
_COLOURS = ((235, 235, 235), (255, 90, 40), (90, 170, 255), (120, 210, 120), (220, 150, 255))
_LEAST = 1e-9  # extent that is drawn as a point


def main_plane(positions: NDArray[np.floating]) -> NDArray[np.intp]:
    """The two of the axes x, y, z along which positions [N, 3] vary most, in their order."""
    return np.sort(np.argsort(-positions.var(0), kind="stable")[:2])


def trajectory_plot(trajectories: Mapping[str, NDArray[np.floating]], title: str) -> NDArray[np.uint8]:
    """name -> positions [N, 3] in one frame and unit -> a picture [H, W, 3]; the first one (the truth) gives the axes.

    A ring marks where each begins. Both axes have one scale; a bar says how long a length is.
    """
    axes = main_plane(next(iter(trajectories.values())))
    points = {name: np.asarray(positions, np.float64)[:, axes] for name, positions in trajectories.items()}
    everything = np.concatenate(list(points.values()))
    low, high = everything.min(0), everything.max(0)
    unit = (_SIZE - 2 * _BORDER) / max(float((high - low).max()), _LEAST)
    top = 30 + 18 * len(points)
    sheet = Image.new("RGB", (_SIZE, _SIZE + top), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((8, 6), title, fill=TEXT, font=ImageFont.load_default(size=16))
    middle, centre = (low + high) / 2, np.array([_SIZE / 2, top + _SIZE / 2])
    for number, (name, path) in enumerate(points.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        draw.text((8, 28 + 18 * number), name, fill=colour, font=ImageFont.load_default(size=14))
        pixels = [tuple(pixel) for pixel in (path - middle) * unit * (1, _upward(axes)) + centre]
        draw.line(pixels, fill=colour, width=2)
        x, y = pixels[0]
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), outline=colour, width=2)
    _draw_axes(draw, axes, unit, sheet.height)
    return np.asarray(sheet)


def _upward(axes: NDArray[np.intp]) -> int:
    """z (forward) is drawn upwards, y (down) as it is."""
    return -1 if axes[1] == 2 else 1


def _draw_axes(draw: ImageDraw.ImageDraw, axes: NDArray[np.intp], unit: float, height: int) -> None:
    """Names of the axes, and a bar of a round length."""
    names = "xyz"
    font = ImageFont.load_default(size=12)
    label = f"right {names[axes[0]]}, {'up' if axes[1] == 2 else 'down'} {names[axes[1]]}"
    draw.text((_SIZE - 100, height - 22), label, fill=TEXT, font=font)
    length = 10.0 ** np.floor(np.log10(0.4 * _SIZE / unit))
    draw.line([(12, height - 26), (12 + length * unit, height - 26)], fill=TEXT, width=2)
    draw.text((12, height - 22), f"{length:g}", fill=TEXT, font=font)
