"""Depth maps as colours: near is bright, and one scale serves all maps that are to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT, heat

_MARGIN, _GAP, _TITLE, _SCALE = 110, 4, 30, 40  # pixels: row names, between pictures, title, colour bar
_CELL = 240  # largest width of a picture


def depth_range(depth: NDArray[np.floating]) -> tuple[float, float]:
    """Nearest and farthest depth of a colour scale: 2nd and 98th percentile of what is known (finite and above 0)."""
    known = depth[np.isfinite(depth) & (depth > 0)]
    if not known.size:
        return 1.0, 2.0
    near, far = np.percentile(known, [2, 98]).tolist()
    return near, max(far, near * 1.01)


def depth_to_rgb(depth: NDArray[np.floating], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """[H, W] -> [H, W, 3]: inverse depth between the limits (near, far), near bright; unknown depth is background."""
    near, far = limits
    known = np.isfinite(depth) & (depth > 0)
    inverse = 1 / np.where(known, depth, far)
    colours = heat((inverse - 1 / far) / (1 / near - 1 / far))
    return np.where(known[..., None], colours, np.array(BACKGROUND, np.uint8)).astype(np.uint8)


def depth_sheet(
    images: Sequence[NDArray[np.uint8]],
    rows: Mapping[str, Sequence[NDArray[np.floating]]],
    title: str,
    *,
    limits: tuple[float, float],
) -> NDArray[np.uint8]:
    """Frames [H, W, 3], and below them depth maps [h, w] of several sources, under one colour scale -> a picture.

    All of them for the same few frames; rows: name -> maps. The scale is drawn below.
    """
    height, width = images[0].shape[:2]
    scale = min(1.0, _CELL / width)
    cell = (max(1, round(width * scale)), max(1, round(height * scale)))
    lines = {"image": list(images)}
    lines.update({name: [depth_to_rgb(one, limits) for one in maps] for name, maps in rows.items()})
    size = (_MARGIN + len(images) * (cell[0] + _GAP), _TITLE + len(lines) * (cell[1] + _GAP) + _SCALE)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 6), title, fill=TEXT, font=ImageFont.load_default(size=16))
    for row, (name, pictures) in enumerate(lines.items()):
        top = _TITLE + row * (cell[1] + _GAP)
        draw.text((_GAP, top + 2), name, fill=TEXT, font=ImageFont.load_default(size=14))
        for column, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize(cell, Image.Resampling.BILINEAR)
            sheet.paste(small, (_MARGIN + column * (cell[0] + _GAP), top))
    _draw_scale(sheet, draw, size[1] - _SCALE, limits)
    return np.asarray(sheet)


def _draw_scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, limits: tuple[float, float]) -> None:
    """The colours from near to far, evenly in inverse depth, with three depths below."""
    near, far = limits
    width = max(60, min(300, sheet.width - _MARGIN - 2 * _GAP))
    inverse = np.linspace(1 / near, 1 / far, width)
    sheet.paste(Image.fromarray(depth_to_rgb(np.tile(1 / inverse, (12, 1)), limits)), (_MARGIN, top + 4))
    draw.text((_GAP, top + 2), "depth", fill=TEXT, font=ImageFont.load_default(size=14))
    for place in (0, width // 2, width - 1):
        label = f"{1 / inverse[place]:.3g}"
        draw.text((_MARGIN + place, top + 18), label, fill=TEXT, anchor="ma" if place else "la", font_size=12)
