"""The contact sheet: a few evenly spaced frames of a clip, each as image, probability heat map and overlay.

`EvenPicker` is fed every frame of a clip of unknown length and keeps thumbnails of a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from motion4d.viz.colours import BACKGROUND, TEXT, heat
from motion4d.viz.overlay import overlay

_CELL = 240  # longest side of a thumbnail, pixels
_GAP = 6
_TITLE, _LABEL, _MARGIN = 34, 24, 104  # heights of the two text lines, width of the row names
_ROWS = ("image", "probability\nof motion", "mask")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Panel:
    """One column of the sheet: thumbnails of one size. image [h, w, 3] uint8; probabilities [h, w]; mask [h, w]."""

    index: int
    label: str
    image: NDArray[np.uint8]
    probabilities: NDArray[np.floating]
    mask: NDArray[np.bool_]


def make_panel(
    index: int, label: str, image: NDArray[np.uint8], probabilities: NDArray[np.floating], mask: NDArray[np.bool_]
) -> Panel:
    """Shrink a frame and its result to thumbnail size."""
    scale = min(1.0, _CELL / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    soft = Image.fromarray(probabilities.astype(np.float32)).resize(size, Image.Resampling.BOX)
    share = Image.fromarray(mask.astype(np.float32)).resize(size, Image.Resampling.BOX)
    return Panel(index, label, np.asarray(small), np.asarray(soft), np.asarray(share) > 0.5)


class EvenPicker(Generic[Item]):
    """Keeps every k-th item it is offered, and doubles k when there are too many: memory never grows."""

    def __init__(self, capacity: int = 64) -> None:
        self._capacity = capacity
        self._step = 1
        self._kept: list[Item] = []

    def offer(self, index: int, make: Callable[[], Item]) -> None:
        """Offer item `index` (0, 1, 2, ...); it is made only if it is kept."""
        if index % self._step:
            return
        if len(self._kept) == self._capacity:
            self._step *= 2
            self._kept = self._kept[::2]
            if index % self._step:
                return
        self._kept.append(make())

    def pick(self, count: int = 8) -> list[Item]:
        """Up to `count` of the kept items, evenly spaced, the first included."""
        wanted = np.linspace(0, len(self._kept) - 1, min(count, len(self._kept))).round().astype(int)
        return [self._kept[k] for k in wanted]


def contact_sheet(panels: Sequence[Panel], title: str) -> NDArray[np.uint8]:
    """Panels of one size -> [H, W, 3] uint8: one column per panel; rows: image, heat map, overlay."""
    if not panels:
        raise ValueError("a contact sheet needs at least one frame")
    height, width = panels[0].mask.shape
    column = max(width, 96) + _GAP  # room for the label above a narrow thumbnail
    size = (_MARGIN + len(panels) * column, _TITLE + _LABEL + len(_ROWS) * (height + _GAP))
    size = (max(size[0], round(_font(16).getlength(title)) + 2 * _GAP), max(size[1], _TITLE + _LABEL + 3 * 48))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 8), title, fill=TEXT, font=_font(16))
    for row, name in enumerate(_ROWS):
        draw.text((_GAP, _row_top(row, height) + 2), name, fill=TEXT, font=_font(14))
    _draw_scale(sheet, draw, _row_top(1, height), height)
    for number, panel in enumerate(panels):
        left = _MARGIN + number * column
        draw.text((left, _TITLE + 2), panel.label, fill=TEXT, font=_font(14))
        pictures = (panel.image, heat(panel.probabilities), overlay(panel.image, panel.mask))
        for row, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (left, _row_top(row, height)))
    return np.asarray(sheet)


def _row_top(row: int, height: int) -> int:
    return _TITLE + _LABEL + row * (height + _GAP)


def _draw_scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, height: int) -> None:
    """The heat map's colours with their ends, below the name of its row."""
    if height < 90:
        return
    bar = heat(np.linspace(0, 1, 80)[None].repeat(10, axis=0))
    sheet.paste(Image.fromarray(bar), (_GAP, top + 44))
    draw.text((_GAP, top + 56), "0", fill=TEXT, font=_font(12))
    draw.text((_GAP + 74, top + 56), "1", fill=TEXT, font=_font(12))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
