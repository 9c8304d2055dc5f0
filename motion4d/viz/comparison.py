"""The comparison sheet: a few frames of a clip, and below them the masks of several sources laid over them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT
from motion4d.viz.overlay import overlay

_MARGIN, _GAP, _TITLE = 110, 4, 30  # pixels: width of the row names, space between pictures, height of the title
_CELL = 240  # largest width of a picture


def comparison_sheet(
    images: NDArray[np.uint8], rows: Mapping[str, NDArray[np.bool_]], title: str, *, columns: int = 6
) -> NDArray[np.uint8]:
    """images [N, H, W, 3] uint8; rows: name -> masks [N, H, W] -> one picture [H', W', 3] uint8.

    Up to `columns` evenly spaced frames, the first and the last among them.
    """
    frames = np.linspace(0, len(images) - 1, min(columns, len(images))).round().astype(int)
    lines = {"image": [images[k] for k in frames]}
    lines.update({name: [overlay(images[k], masks[k]) for k in frames] for name, masks in rows.items()})
    scale = min(1.0, _CELL / images.shape[2])
    height, width = round(images.shape[1] * scale), round(images.shape[2] * scale)
    size = (_MARGIN + len(frames) * (width + _GAP), _TITLE + len(lines) * (height + _GAP))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 6), title, fill=TEXT, font=ImageFont.load_default(size=16))
    for row, (name, pictures) in enumerate(lines.items()):
        top = _TITLE + row * (height + _GAP)
        draw.text((_GAP, top + 2), name, fill=TEXT, font=ImageFont.load_default(size=14))
        for column, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(small, (_MARGIN + column * (width + _GAP), top))
    return np.asarray(sheet)
