"""A grid of small pictures: one column per frame, one row per kind of picture, with names at the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT

_MARGIN, _GAP, _TITLE = 110, 4, 30  # pixels: width of the row names, space between pictures, height of the title
_CELL = 240  # largest width of a picture


def picture_grid(rows: Mapping[str, Sequence[NDArray[np.uint8]]], title: str) -> NDArray[np.uint8]:
    """rows: name (may have line breaks) -> pictures [H, W, 3], all of one size -> one picture [H', W', 3] uint8.

    A row may be shorter than others: what is missing stays empty.
    """
    tall, wide = next(pictures[0] for pictures in rows.values() if len(pictures)).shape[:2]
    scale = min(1.0, _CELL / wide)
    height, width = max(1, round(tall * scale)), max(1, round(wide * scale))
    columns = max(map(len, rows.values()))
    size = (_MARGIN + columns * (width + _GAP), _TITLE + len(rows) * (height + _GAP))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 6), title, fill=TEXT, font=ImageFont.load_default(size=16))
    for row, (name, pictures) in enumerate(rows.items()):
        top = _TITLE + row * (height + _GAP)
        draw.text((_GAP, top + 2), name, fill=TEXT, font=ImageFont.load_default(size=14))
        for column, picture in enumerate(pictures):
            small = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(small, (_MARGIN + column * (width + _GAP), top))
    return np.asarray(sheet)


def spread(length: int, most: int) -> list[int]:
    """At most `most` evenly spaced numbers from 0 to length - 1, both ends among them."""
    return [int(k) for k in np.linspace(0, length - 1, min(most, length)).round()]
