"""Furniture before it stands anywhere: pieces, movables, and their own frame.

x right, y down, z away: the front looks against z, the floor is y = 0, the middle of the floor plan is the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.articulated.joints import Joint
from motion4d.data.articulated.variety import Variety
from motion4d.data.procedural import transforms
from motion4d.data.procedural.draws import happens, uniform
from motion4d.data.procedural.shapes import Box, Cylinder, Ellipsoid, Shape
from motion4d.data.procedural.textures import SIZE, Image, palette, surface

Array = NDArray[np.float64]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Piece:
    """One shape. place [4, 4]: where it is while everything is closed; half [3]: its half extents; paint: a texture."""

    shape: Shape
    place: Array
    half: Array
    paint: int


@dataclass(frozen=True)
class Movable:
    """A part that can be asked for. handle: those of its pieces that one touches (they follow `pieces` in order).

    row, column: its place among the movables of its noun, which fill a whole grid; opened: how far it has gone already.
    """

    noun: str
    pieces: tuple[Piece, ...]
    handle: tuple[Piece, ...]
    joint: Joint
    row: int
    column: int
    opened: float = 0.0


@dataclass(frozen=True)
class Furniture:
    """One object: what stands still, and what moves. size [3]: width, height, depth of the body."""

    kind: str
    size: Array
    body: tuple[Piece, ...]
    movables: tuple[Movable, ...]


@dataclass
class Colours:
    """The textures of a scene, as they are made."""

    variety: Variety
    images: list[Image] = field(default_factory=list)

    def any(self, rng: Generator) -> int:
        """Any surface."""
        return self._add(rng, palette(rng))

    def apart(self, rng: Generator, other: int, distance: float) -> int:
        """A surface whose mean colour is at least this far (of the range [0, 1]) from that of another."""
        colours = palette(rng)
        mean = self.images[other].reshape(-1, 3).mean(0)
        offset = colours.mean(0) - mean
        short = distance - float(np.abs(offset).max())
        if short > 0:  # towards white or black, whichever has the room
            colours = np.clip(colours + (short + distance) * (1.0 if mean.mean() < 0.5 else -1.0), 0.03, 0.97)
        return self._add(rng, colours.astype(np.float32))

    def plain(self, rng: Generator, brightness: float) -> int:
        """One flat grey."""
        self.images.append(np.full((SIZE, SIZE, 3), brightness, dtype=np.float32) + rng.normal(0, 0.02, 3).astype("f4"))
        return len(self.images) - 1

    def metal(self, rng: Generator, behind: int) -> int:
        """What handles are made of: dark before a bright surface, bright before a dark one."""
        dark = self.images[behind].mean() > 0.45
        return self.plain(rng, uniform(rng, (0.05, 0.15) if dark else (0.8, 0.95)))

    def _add(self, rng: Generator, colours: Image) -> int:
        plain = happens(rng, self.variety.plain_share)
        contrast = uniform(rng, (0.0, 0.12)) if plain else uniform(rng, self.variety.texture_contrast)
        self.images.append(surface(rng, colours, contrast))
        return len(self.images) - 1


Kind = Callable[[Generator, Variety, Colours], Furniture]


def box(centre: Triple, half: Triple, paint: int) -> Piece:
    """A box along the axes."""
    return Piece(Box(), transforms.translation(centre), np.array(half), paint)


def ball(centre: Triple, radius: float, paint: int) -> Piece:
    """A ball."""
    return Piece(Ellipsoid(), transforms.translation(centre), np.full(3, radius), paint)


def disc(centre: Triple, radius: float, half_depth: float, paint: int) -> Piece:
    """A cylinder along z."""
    place = transforms.translation(centre) @ transforms.turn(0, np.pi / 2)
    return Piece(Cylinder(), place, np.array([radius, half_depth, radius]), paint)


def opened(rng: Generator, variety: Variety, joint: Joint) -> float:
    """How far a part has gone already."""
    share = uniform(rng, variety.opened)
    return joint.reach * share if happens(rng, variety.opened_share) else 0.0
