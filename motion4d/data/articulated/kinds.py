"""The kinds of furniture: cabinets, chests, panels, stoves. Parts of one noun always fill a grid of rows and
columns, so that a few words about place tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from motion4d.data.articulated.fronts import Cell, Style, door, drawer, flap
from motion4d.data.articulated.furniture import Colours, Furniture, Movable, Piece, box, disc, opened
from motion4d.data.articulated.joints import hinge, slide
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural.draws import count, happens, uniform

_BAR = 0.015  # half the thickness of a handle of size 1


def cabinet(rng: Generator, variety: Variety, colours: Colours) -> Furniture:
    """Doors and drawers: rows of drawers above a row of doors, or one column of drawers beside doors."""
    columns = count(rng, variety.columns)
    rows = count(rng, variety.rows)
    doors_below = happens(rng, 0.6)
    beside = columns > 1 and rows > 1 and happens(rng, 0.4)
    only_doors = not beside and happens(rng, 0.25)
    width = columns * uniform(rng, (0.42, 0.6))
    tall = 2.2 if rows < 3 else 1.8
    units = rows if beside else (0 if only_doors else rows) + tall * (doors_below or only_doors)
    height = float(np.clip(units * uniform(rng, (0.22, 0.32)), 0.35, 1.5))
    style, body = _body(rng, variety, colours, width, height, uniform(rng, (0.35, 0.55)))
    top, bottom = -height, -uniform(rng, (0.02, 0.08))
    inner = (-width / 2 + 0.015, width / 2 - 0.015, top + 0.02, bottom)
    drawers, doors = [], []
    if beside:
        place = int(rng.integers(columns))
        edges = np.linspace(inner[0], inner[1], columns + 1)
        drawers = _grid((edges[place], edges[place + 1], inner[2], inner[3]), rows, 1)
        others = [index for index in range(columns) if index != place]
        doors = [Cell(edges[at], edges[at + 1], inner[2], inner[3], 0, order) for order, at in enumerate(others)]
    elif only_doors:
        doors = _grid(inner, 1, columns)
    elif doors_below:
        edge = inner[2] + (inner[3] - inner[2]) * rows / (rows + tall)
        drawers = _grid((inner[0], inner[1], inner[2], edge), rows, columns)
        doors = _grid((inner[0], inner[1], edge, inner[3]), 1, columns)
    else:
        drawers = _grid(inner, rows, columns)
    made = [drawer(rng, variety, cell, style) for cell in drawers] + [door(rng, variety, cell, style) for cell in doors]
    return _furniture("cabinet", (width, height, style.depth), body, made)


def chest(rng: Generator, variety: Variety, colours: Colours) -> Furniture:
    """Lids on top, hinged at the back; sometimes a row of drawers below."""
    lids = count(rng, variety.lids)
    width, height, depth = lids * uniform(rng, (0.5, 0.75)), uniform(rng, (0.3, 0.5)), uniform(rng, (0.4, 0.6))
    style, body = _body(rng, variety, colours, width, height, depth)
    thick = uniform(rng, (0.03, 0.055))
    made: list[tuple[Movable, list[Piece]]] = []
    for column, (left, right) in enumerate(pairwise(np.linspace(-width / 2, width / 2, lids + 1))):
        middle, half = (left + right) / 2, (right - left) / 2 - style.gap / 2
        joint = hinge((-1, 0, 0), (middle, -height - thick, depth / 2), np.radians(90))
        plate = box((middle, -height - thick, 0), (half, thick, depth / 2), style.front)
        grip = half * uniform(rng, (0.25, 0.4))
        bar = (grip, style.bar, 1.2 * style.bar)
        handle = box((middle, -height - thick, style.face - 1.2 * style.bar), bar, style.metal)
        gone = opened(rng, variety, joint)
        hole = [box((middle, -height, 0), (half * 0.92, 0.002, depth * 0.44), style.inside)] if gone > 0 else []
        made.append((Movable("lid", (plate,), (handle,), joint, 0, column, gone), hole))
    if happens(rng, 0.4):
        cells = _grid((-width / 2 + 0.02, width / 2 - 0.02, -0.75 * height, -0.03), 1, min(lids, 2))
        made += [drawer(rng, variety, cell, style) for cell in cells]
    return _furniture("chest", (width, height + 2 * thick, depth), body, made)


def panel(rng: Generator, variety: Variety, colours: Colours) -> Furniture:
    """A box with knobs to turn or buttons to press."""
    rows, columns = min(count(rng, variety.rows), 2), count(rng, variety.columns)
    cell = uniform(rng, (0.16, 0.24))
    width, height = columns * cell + uniform(rng, (0.02, 0.1)), rows * cell + uniform(rng, (0.02, 0.06))
    style, body = _body(rng, variety, colours, width, height, uniform(rng, (0.1, 0.3)))
    area = (-width / 2 + 0.01, width / 2 - 0.01, -height + 0.01, -0.01)
    make = _knobs if happens(rng, 0.5) else _buttons
    return _furniture("panel", (width, height, style.depth), body, make(rng, _grid(area, rows, columns), style))


def stove(rng: Generator, variety: Variety, colours: Colours) -> Furniture:
    """Knobs in a row above a door that folds down."""
    columns = count(rng, variety.columns)
    width, height = uniform(rng, (0.5, 0.65)), uniform(rng, (0.6, 0.75))
    style, body = _body(rng, variety, colours, width, height, uniform(rng, (0.45, 0.6)))
    edge = -height + uniform(rng, (0.15, 0.2))
    knobs = _grid((-width / 2 + 0.02, width / 2 - 0.02, -height + 0.01, edge), 1, columns)
    below = Cell(-width / 2 + 0.02, width / 2 - 0.02, edge + 0.01, -0.04)
    made = [*_knobs(rng, knobs, style), flap(rng, variety, "oven door", below, style)]
    return _furniture("stove", (width, height, style.depth), body, made)


def _body(
    rng: Generator, variety: Variety, colours: Colours, width: float, height: float, depth: float
) -> tuple[Style, list[Piece]]:
    """(the style of its fronts, a closed box)."""
    wood = colours.any(rng)
    front = colours.apart(rng, wood, 0.12)
    style = Style(
        face=-depth / 2,
        depth=depth,
        gap=uniform(rng, (0.012, 0.02)),
        front=front,
        metal=colours.metal(rng, front),
        inside=colours.plain(rng, 0.06),
        bar=_BAR * uniform(rng, variety.handle_size),
        is_round=happens(rng, variety.round_handle_share),
    )
    return style, [box((0, -height / 2, 0), (width / 2, height / 2, depth / 2), wood)]


def _knobs(rng: Generator, cells: Sequence[Cell], style: Style) -> list[tuple[Movable, list[Piece]]]:
    """Discs with a pointer, which is what fingers hold."""
    share, thick = uniform(rng, (0.32, 0.42)), uniform(rng, (0.01, 0.02))
    made: list[tuple[Movable, list[Piece]]] = []
    for cell in cells:
        x, y = cell.middle
        radius = share * min(cell.right - cell.left, cell.bottom - cell.top)
        angle = uniform(rng, (-0.6, 0.6))
        joint = hinge((0, 0, 1), (x, y, style.face), np.radians(90))
        plate = disc((x, y, style.face - thick), radius, thick, style.front)
        bar = box((x, y - 0.5 * radius, style.face - 2 * thick), (0.17 * radius, 0.48 * radius, 0.012), style.metal)
        held = Piece(bar.shape, joint.transform(angle) @ bar.place, bar.half, bar.paint)
        made.append((Movable("knob", (plate,), (held,), joint, cell.row, cell.column), []))
    return made


def _buttons(rng: Generator, cells: Sequence[Cell], style: Style) -> list[tuple[Movable, list[Piece]]]:
    """Round or square buttons; one touches their middle."""
    share, thick, is_square = uniform(rng, (0.3, 0.4)), uniform(rng, (0.015, 0.03)), happens(rng, 0.5)
    made: list[tuple[Movable, list[Piece]]] = []
    for cell in cells:
        x, y = cell.middle
        radius = share * min(cell.right - cell.left, cell.bottom - cell.top)
        centre = (x, y, style.face - thick)
        cap = (x, y, style.face - 2 * thick)
        if is_square:
            pieces = box(centre, (radius, radius, thick), style.front)
            middle = box(cap, (0.35 * radius, 0.35 * radius, 0.004), style.metal)
        else:
            pieces = disc(centre, radius, thick, style.front)
            middle = disc(cap, 0.4 * radius, 0.004, style.metal)
        made.append((Movable("button", (pieces,), (middle,), slide((0, 0, 1), 1.5 * thick), cell.row, cell.column), []))
    return made


def _grid(area: tuple[float, float, float, float], rows: int, columns: int) -> list[Cell]:
    """Equal cells of an area (left, right, top, bottom)."""
    across, down = np.linspace(area[0], area[1], columns + 1), np.linspace(area[2], area[3], rows + 1)
    return [
        Cell(left, right, top, bottom, row, column)
        for row, (top, bottom) in enumerate(pairwise(down.tolist()))
        for column, (left, right) in enumerate(pairwise(across.tolist()))
    ]


def _furniture(
    kind: str, size: tuple[float, float, float], body: list[Piece], made: list[tuple[Movable, list[Piece]]]
) -> Furniture:
    still = [piece for _, behind in made for piece in behind]
    return Furniture(kind, np.array(size), (*body, *still), tuple(movable for movable, _ in made))
