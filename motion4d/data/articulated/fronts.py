"""Fronts: doors, drawers and flaps that fill a rectangle of an object's front, with what is seen behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from motion4d.data.articulated.furniture import Movable, Piece, ball, box, opened
from motion4d.data.articulated.joints import Joint, hinge, slide
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural.draws import sign, uniform

_THICK = 0.012  # half the thickness of a front


@dataclass(frozen=True)
class Cell:
    """A rectangle of the front, and the place of what fills it among its like. Metres; y is down."""

    left: float
    right: float
    top: float
    bottom: float
    row: int = 0
    column: int = 0

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Style:
    """What the fronts of one object share. face: z of the body's front; depth of the body; gap around each front;
    front, metal, inside: paints of fronts, handles, holes; bar: half the thickness of a handle; is_round: no bars.
    """

    face: float
    depth: float
    gap: float
    front: int
    metal: int
    inside: int
    bar: float
    is_round: bool


def drawer(rng: Generator, variety: Variety, cell: Cell, style: Style) -> tuple[Movable, list[Piece]]:
    """(a drawer, what stands still behind it)."""
    joint = slide((0, 0, -1), style.depth * uniform(rng, (0.6, 0.8)))
    gone = opened(rng, variety, joint)
    x, y = cell.middle
    width, height = _half(cell, style)
    pieces = [_panel(cell, style)]
    if gone > 0:
        deep = style.depth * 0.42
        middle = style.face + deep
        pieces.append(box((x, y + 0.15 * height, middle), (width * 0.9, height * 0.7, deep), style.front))
        pieces.append(box((x, y - 0.55 * height, middle), (width * 0.8, 0.006, deep * 0.96), style.inside))
    length = width * uniform(rng, (0.3, 0.5))
    handle = _handle((x, y), (length, style.bar), style)
    movable = Movable("drawer", tuple(pieces), (handle,), joint, cell.row, cell.column, gone)
    return movable, _hole(cell, style) if gone > 0 else []


def door(rng: Generator, variety: Variety, cell: Cell, style: Style) -> tuple[Movable, list[Piece]]:
    """(a door that hangs on its left or right side, what stands still behind it)."""
    side = sign(rng)  # of the handle; the hinge is at the other one
    x, y = cell.middle
    width, height = _half(cell, style)
    joint = hinge((0, side, 0), (x - side * width, y, style.face - _THICK), np.radians(90))
    length = height * uniform(rng, (0.2, 0.4))
    grip = (x + side * (width - max(0.14 * width, 2.5 * style.bar)), y + height * uniform(rng, (-0.25, 0.25)))
    return _hung(rng, variety, "door", cell, style, joint, _handle(grip, (style.bar, length), style))


def flap(rng: Generator, variety: Variety, noun: str, cell: Cell, style: Style) -> tuple[Movable, list[Piece]]:
    """(a door that folds down about its lower edge, what stands still behind it)."""
    x, _ = cell.middle
    width, height = _half(cell, style)
    joint = hinge((1, 0, 0), (x, cell.bottom - style.gap, style.face - _THICK), np.radians(90))
    grip = (x, cell.top + style.gap + max(0.18 * height, 2.5 * style.bar))
    handle = _handle(grip, (width * uniform(rng, (0.4, 0.7)), style.bar), style)
    return _hung(rng, variety, noun, cell, style, joint, handle)


def _hung(
    rng: Generator, variety: Variety, noun: str, cell: Cell, style: Style, joint: Joint, handle: Piece
) -> tuple[Movable, list[Piece]]:
    gone = opened(rng, variety, joint)
    movable = Movable(noun, (_panel(cell, style),), (handle,), joint, cell.row, cell.column, gone)
    return movable, _hole(cell, style) if gone > 0 else []


def _half(cell: Cell, style: Style) -> tuple[float, float]:
    """Half the width and height of a front."""
    return (cell.right - cell.left) / 2 - style.gap, (cell.bottom - cell.top) / 2 - style.gap


def _panel(cell: Cell, style: Style) -> Piece:
    return box((*cell.middle, style.face - _THICK), (*_half(cell, style), _THICK), style.front)


def _hole(cell: Cell, style: Style) -> list[Piece]:
    """The dark inside, as flat as it may be without being hidden by the body."""
    width, height = _half(cell, style)
    return [box((*cell.middle, style.face), (width * 0.96, height * 0.94, 0.002), style.inside)]


def _handle(middle: tuple[float, float], half: tuple[float, float], style: Style) -> Piece:
    """A bar or a knob on a front; half: of the bar's width and height."""
    if style.is_round:
        radius = 1.6 * style.bar
        return ball((*middle, style.face - 2 * _THICK - 0.6 * radius), radius, style.metal)
    return box((*middle, style.face - 2 * _THICK - 1.2 * style.bar), (*half, 1.2 * style.bar), style.metal)
