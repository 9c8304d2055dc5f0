"""One random scene: a piece of furniture on a floor before a wall, under a light, seen by one camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.articulated import kinds
from motion4d.data.articulated.furniture import Colours, Furniture, Kind, Piece
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural import transforms
from motion4d.data.procedural.draws import choose, count, direction, happens, sign, uniform
from motion4d.data.procedural.parts import Look, Part, Scenery, Shadow
from motion4d.data.procedural.shapes import Box, Cylinder, Ellipsoid, Plane, Shape

Array = NDArray[np.float64]
_SHAPES: tuple[tuple[float, Shape], ...] = ((1.0, Box()), (1.0, Cylinder()), (1.0, Ellipsoid()))
_BODY = 1  # the thing of what stands still; movable k is thing k + 2
_CORNERS = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3)


@dataclass(frozen=True)
class Room:
    """A scene before rendering: its furniture, the scenery of one frame (world: the furniture's frame), and the rows of
    scenery.parts that are each movable's own and its handle's.
    """

    furniture: Furniture
    scenery: Scenery
    rows: tuple[tuple[int, ...], ...]
    handles: tuple[tuple[int, ...], ...]


def sample(rng: Generator, variety: Variety, height: int, width: int) -> Room:
    """A scene for a frame of this size."""
    colours = Colours(variety)
    furniture = _kind(rng, variety)(rng, variety, colours)
    focal = max(height, width) / 2 / np.tan(np.radians(uniform(rng, variety.field_of_view)) / 2)
    placed, owners = _placed(furniture)
    pose = _camera(rng, variety, _corners(placed), focal, (height, width))
    distance = float(np.linalg.norm(pose[:3, 3] + [0, furniture.size[1] / 2, 0]))
    density = focal / distance
    parts = [
        _part(piece, matrix, density * 1.2, thing) for (piece, matrix), (thing, _) in zip(placed, owners, strict=True)
    ]
    parts += _surroundings(rng, variety, colours, furniture, density)
    shadows = _shadows(rng, variety, furniture)
    scenery = Scenery(
        furniture.kind, pose[None], focal, tuple(parts), np.stack(colours.images), shadows, _look(rng, variety)
    )
    movables = range(len(furniture.movables))
    rows = tuple(_rows(owners, index, handle=None) for index in movables)
    handles = tuple(_rows(owners, index, handle=True) for index in movables)
    return Room(furniture, scenery, rows, handles)


def _kind(rng: Generator, variety: Variety) -> Kind:
    return choose(
        rng,
        (
            (variety.kind_cabinet, kinds.cabinet),
            (variety.kind_chest, kinds.chest),
            (variety.kind_panel, kinds.panel),
            (variety.kind_stove, kinds.stove),
        ),
    )


def _placed(furniture: Furniture) -> tuple[list[tuple[Piece, Array]], list[tuple[int, bool]]]:
    """(pieces with where they are now, the thing that each belongs to and whether it is a handle)."""
    placed = [(piece, piece.place) for piece in furniture.body]
    owners = [(_BODY, False)] * len(placed)
    for index, movable in enumerate(furniture.movables):
        moved = movable.joint.transform(movable.opened)
        for is_handle, pieces in ((False, movable.pieces), (True, movable.handle)):
            placed += [(piece, moved @ piece.place) for piece in pieces]
            owners += [(index + _BODY + 1, is_handle)] * len(pieces)
    return placed, owners


def _rows(owners: list[tuple[int, bool]], movable: int, *, handle: bool | None) -> tuple[int, ...]:
    thing = movable + _BODY + 1
    return tuple(row for row, (of, is_handle) in enumerate(owners) if of == thing and handle in (None, is_handle))


def _corners(placed: list[tuple[Piece, Array]]) -> Array:
    """[K, 3] corners of all pieces."""
    return np.concatenate([transforms.apply(matrix, _CORNERS * piece.half) for piece, matrix in placed])


def _camera(rng: Generator, variety: Variety, points: Array, focal: float, size: tuple[int, int]) -> Array:
    """[4, 4] camera to world, so that the points fill a share of the frame."""
    yaw, pitch, roll = (np.radians(uniform(rng, bounds)) for bounds in (variety.yaw, variety.pitch, variety.roll))
    turned = transforms.turn(1, -yaw) @ transforms.turn(0, -pitch) @ transforms.turn(2, roll)
    middle = (points.min(0) + points.max(0)) / 2
    seen = (points - middle) @ turned[:3, :3]  # in the camera's axes
    frame = np.array([size[1], size[0]], dtype=np.float64)
    fill = uniform(rng, variety.fill)
    low, high = -seen[:, 2].min() + 0.15, 30.0
    for _ in range(30):
        distance = (low + high) / 2
        pixels = focal * seen[:, :2] / (seen[:, 2:] + distance)
        extent = pixels.max(0) - pixels.min(0)
        low, high = (distance, high) if (extent / frame).max() > fill else (low, distance)
    spare = (frame - extent).clip(min=0) / 2
    centre = (pixels.max(0) + pixels.min(0)) / 2 + spare * rng.uniform(-0.7, 0.7, 2)
    sideways = np.array([*(centre / focal * distance), -distance])
    return transforms.translation(middle) @ turned @ transforms.translation(sideways)


def _part(piece: Piece, matrix: Array, density: float, thing: int) -> Part:
    return Part(piece.shape, (matrix @ transforms.scaling(piece.half))[None], piece.half, piece.paint, density, thing)


def _surroundings(
    rng: Generator, variety: Variety, colours: Colours, furniture: Furniture, density: float
) -> list[Part]:
    """Floor, wall, and things that stand beside the furniture."""
    wood = furniture.body[0].paint
    width, _, depth = furniture.size
    floor = transforms.turn(1, uniform(rng, (0, 6.3)))
    wall = transforms.translation([0, 0, depth / 2 + uniform(rng, (0.02, 1.0))]) @ transforms.turn(0, np.pi / 2)
    parts = [
        Part(Plane(), place[None], np.ones(3), colours.apart(rng, wood, 0.15), density * uniform(rng, (0.4, 1.2)))
        for place in (floor, wall)
    ]
    for _ in range(count(rng, variety.clutter)):
        half = rng.uniform(0.12, 0.35, 3) * width
        x = sign(rng) * (width / 2 + half[0] * uniform(rng, (1.3, 3.0)))
        place = transforms.translation([x, -half[1], uniform(rng, (-0.2, 1.0)) * depth / 2])
        shape: Shape = choose(rng, _SHAPES)
        parts.append(_part(Piece(shape, place, half, colours.any(rng)), place, density, 0))
    return parts


def _shadows(rng: Generator, variety: Variety, furniture: Furniture) -> tuple[Shadow, ...]:
    if not happens(rng, variety.shadow_share):
        return ()
    radius = 0.7 * float(furniture.size[0])
    return (Shadow(np.array([[0.0, 0.0, -0.1 * radius]]), radius, uniform(rng, (0.3, 0.7))),)


def _look(rng: Generator, variety: Variety) -> Look:
    """Light from above and before the front."""
    light = direction(rng)
    light[1], light[2] = -abs(light[1]) - 0.2, -abs(light[2]) - 0.2
    return Look(
        light=light / np.linalg.norm(light),
        ambient=uniform(rng, variety.ambient),
        exposure=np.array([uniform(rng, variety.exposure)]),
        shutter=0.0,
        blur_px=uniform(rng, variety.blur_px),
        noise=uniform(rng, variety.noise),
        noise_seed=int(rng.integers(2**31)),
    )
