"""Frames with depth and cameras as DUSt3R and MonST3R show them: a part around the principal point, zoomed a little.

Both frames of a pair go through it by themselves, so that they differ in zoom, place and colour. How sizes and places
are rounded is published, and so is the depth's grid: the nearest sample up and left. (motion4d.data.training_views is
PAGE-4D's way.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from motion4d.data.chance import whole
from motion4d.data.random_colours import RandomColours
from motion4d.data.view import CENTRE, PUBLISHED_CENTRE, Size, View, part_of, resized_depth

_LEAST_MARGIN = 1 / 5  # of a side: how near to an edge the principal point may be


@dataclass(frozen=True)
class PairViews:
    """zoom: least part of height and width that is kept, 1: all; shift: pixels by which the resize may leave more than
    the last cut needs, which draws what is between; colours: what changes them.

    The part that is kept follows zoom + (1 - zoom) Beta(1/2, 1/2): most often about `zoom` or all.
    """

    zoom: float = 0.9
    shift: int = 16
    colours: RandomColours | None = None

    def __post_init__(self) -> None:
        if not 0 < self.zoom <= 1 or self.shift < 0:
            raise ValueError(f"zoom={self.zoom} must be above 0 and at most 1, shift={self.shift} at least 0")

    def __call__(self, views: Sequence[View], size: Size, *, sparse: bool = False) -> list[View]:
        """The frames of one clip at `size`. sparse: their depth is points (motion4d.data.view.resized)."""
        draws = np.random.default_rng(whole(0, 2**62))
        kept = [1.0 if self.zoom == 1 else self.zoom + (1 - self.zoom) * draws.beta(0.5, 0.5) for _ in views]
        more = [int(draws.integers(self.shift)) if self.shift else 0 for _ in views]
        shown = [fitted(*one, size, sparse=sparse) for one in zip(views, kept, more, strict=True)]
        if self.colours is None:
            return shown
        images = self.colours([view.image for view in shown])
        return [replace(view, image=image) for view, image in zip(shown, images, strict=True)]


def fitted(view: View, kept: float, more: int, size: Size, *, sparse: bool = False) -> View:
    """`view` at `size`: the largest part around its principal point, of it the middle part `kept` of each side, resized
    to at least `size` and `more` pixels, of it the middle.

    A ValueError if the principal point is nearer to an edge than a fifth of the side.
    """
    view = centred(view)
    if kept < 1:
        view = middle(view, tuple(int(side * kept) for side in view.size))
    factor = max((wanted + more) / side for wanted, side in zip(size, view.size, strict=True)) + 1e-8
    return middle(_scaled(view, factor, sparse=sparse), size)


def centred(view: View) -> View:
    """The largest part with the rounded principal point in its middle."""
    column, row = (int(round(place)) for place in view.intrinsics[:2, 2])
    height, width = view.size
    across, down = min(column, width - column), min(row, height - row)
    if across < width * _LEAST_MARGIN or down < height * _LEAST_MARGIN:
        raise ValueError(
            f"the principal point ({column}, {row}) is too near to an edge of a frame of {width}x{height} pixels to "
            "cut the frame around it; check the intrinsics"
        )
    return part_of(view, (row - down, column - across), (2 * down, 2 * across))


def middle(view: View, size: tuple[int, ...]) -> View:
    """The middle of `view`, of this size."""
    top, left = (int(np.round((old - new) / 2)) for old, new in zip(view.size, size, strict=True))
    return part_of(view, (top, left), size)


def _scaled(view: View, factor: float, *, sparse: bool) -> View:
    """`view` with sides rounded down; what is lost so is taken from both ends alike."""
    height, width = size = tuple(int(side * factor) for side in view.size)
    kernel = Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC
    intrinsics = view.intrinsics.copy()
    intrinsics[:2] *= factor
    lost = [side * factor - new for side, new in zip(view.size[::-1], size[::-1], strict=True)]
    intrinsics[:2, 2] += CENTRE * (factor - 1) - np.array(lost) / 2
    centre = CENTRE if sparse else PUBLISHED_CENTRE
    return View(
        np.asarray(Image.fromarray(view.image).resize((width, height), kernel)),
        intrinsics,
        resized_depth(view.depth, (height, width), sparse=sparse, centre=centre),
    )
