"""Static worlds around a shot: where the ground is, which way the camera looks, and the surfaces of the background.

World axes: x right, y down (along gravity), z away; the middle camera stands in the origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural import transforms
from motion4d.data.procedural.draws import count, happens, log_uniform, uniform
from motion4d.data.procedural.parts import Part
from motion4d.data.procedural.shapes import Dome, Ellipsoid, Plane, Room, Shape
from motion4d.data.procedural.textures import SIZE, Image, palette, surface

Array = NDArray[np.float64]
_SKY = 400.0


@dataclass
class Paint:
    """The textures of a clip, as they are made. contrast, plain: see Difficulty.texture_contrast and plain_share."""

    contrast: tuple[float, float]
    plain: float
    images: list[Image] = field(default_factory=list)

    def new(self, rng: Generator, colours: Image) -> int:
        """A new random texture's row."""
        contrast = uniform(rng, (0.0, 0.12)) if happens(rng, self.plain) else uniform(rng, self.contrast)
        self.images.append(surface(rng, colours, contrast))
        return len(self.images) - 1


@dataclass(frozen=True)
class Stage:
    """A world before it is built: pitch of the middle camera (radians, positive looks down), ground's y or None."""

    kind: World
    pitch: float
    ground: float | None


@dataclass(frozen=True)
class Site:
    """What a world is built around.

    cameras [N, 3] positions; inside [K, 3]: places that walls must not shut out; focus: distance of the subject; focal
    length in pixels; ground: its y, or None.
    """

    cameras: Array
    inside: Array
    focus: float
    focal: float
    ground: float | None


World = Callable[[Generator, Site, Paint], list[Part]]


def room(rng: Generator, site: Site, paint: Paint) -> list[Part]:
    """Inside of a box: floor, walls and ceiling all share one surface, or the floor has its own."""
    low, high = site.inside.min(0), site.inside.max(0)
    margin = site.focus * rng.uniform(0.5, 1.4, 3)
    low, high = low - margin, high + margin
    high[2] = max(high[2], site.focus * uniform(rng, (1.2, 2.5)))
    high[1] = _floor(site)
    turned = transforms.turn(1, uniform(rng, (-0.5, 0.5)))
    half = (high - low) / 2 * np.array([1.3, 1.0, 1.3])
    place = transforms.translation((low + high) / 2) @ turned
    colours = palette(rng)
    density = _density(rng, site, site.focus * 1.5)
    parts = [_fixed(Room(), place, half, paint.new(rng, colours), density, site)]
    if happens(rng, 0.7):
        parts.append(_plane(rng, site, paint, height=high[1] - 0.01))
    return parts


def ground(rng: Generator, site: Site, paint: Paint) -> list[Part]:
    """Open ground with bumps, under a sky."""
    colours = palette(rng)
    height = _floor(site)
    land = _plane(rng, site, paint, height=height, colours=colours)
    parts = [_sky(rng, site, paint), land]
    for _ in range(count(rng, (2, 9))):
        size = site.focus * np.array([uniform(rng, (0.2, 1.5)), uniform(rng, (0.05, 0.7)), uniform(rng, (0.2, 1.5))])
        where = np.array([rng.normal(0, 1.5), 0, uniform(rng, (0.8, 6))]) * site.focus
        where[1] = height
        if np.linalg.norm((where - site.cameras) / size, axis=1).min() > 2.0:
            texture = land.texture if happens(rng, 0.6) else paint.new(rng, colours)
            parts.append(_fixed(Ellipsoid(), transforms.translation(where), size, texture, land.density, site))
    return parts


def plane(rng: Generator, site: Site, paint: Paint) -> list[Part]:
    """One flat surface across the view, more or less facing the camera: a homography explains all of its flow."""
    away = max(site.focus * uniform(rng, (1.1, 1.5)), site.cameras[:, 2].max() + 0.5 * site.focus)
    tilt = transforms.rotation(rng.uniform(-0.45, 0.45, 3)) @ transforms.turn(0, np.pi / 2)
    place = transforms.translation([0, 0, away]) @ tilt
    texture = paint.new(rng, palette(rng))
    wall = _fixed(Plane(), place, np.ones(3), texture, _density(rng, site, away), site)
    return [_sky(rng, site, paint), wall]


def far(rng: Generator, site: Site, paint: Paint) -> list[Part]:
    """Everything but the objects is far away: the sky, and land or hills at its foot."""
    colours = palette(rng)
    parts = [_sky(rng, site, paint)]
    for _ in range(count(rng, (1, 6))):
        distance = site.focus * log_uniform(rng, (6, 30))
        size = distance * np.array([uniform(rng, (0.2, 0.9)), uniform(rng, (0.05, 0.4)), 0.2])
        where = np.array([rng.normal(0, 0.5) * distance, uniform(rng, (0.0, 0.3)) * distance, distance])
        texture, density = paint.new(rng, colours), _density(rng, site, distance)
        parts.append(_fixed(Ellipsoid(), transforms.translation(where), size, texture, density, site))
    return parts


def plan(rng: Generator, kind: World, focus: float) -> Stage:
    """Look and ground that suit a world, for a subject at distance `focus`."""
    if kind is far or kind is plane:
        return Stage(kind, uniform(rng, (-0.15, 0.15)), None)
    height = focus * (uniform(rng, (0.15, 0.5)) if happens(rng, 0.8) else uniform(rng, (0.6, 1.3)))
    return Stage(kind, float(np.arctan2(height, focus)) * uniform(rng, (0.2, 0.9)), height)


def _floor(site: Site) -> float:
    """y of the ground, below all cameras."""
    wanted = 0.5 * site.focus if site.ground is None else site.ground
    return max(wanted, float(site.cameras[:, 1].max()) + 0.08 * site.focus)


def _sky(rng: Generator, site: Site, paint: Paint) -> Part:
    texture = paint.new(rng, palette(rng))
    middle = transforms.translation(site.cameras[len(site.cameras) // 2])
    # the dome spans a few textures, so that its texels are about a pixel wide whatever its radius
    density = site.focal / (_SKY * site.focus) * uniform(rng, (0.2, 0.7))
    return _fixed(Dome(), middle, np.full(3, _SKY * site.focus), texture, density, site)


def _plane(rng: Generator, site: Site, paint: Paint, *, height: float, colours: Image | None = None) -> Part:
    place = transforms.translation([0, height, 0]) @ transforms.turn(1, uniform(rng, (0, 6.3)))
    texture = paint.new(rng, palette(rng) if colours is None else colours)
    return _fixed(Plane(), place, np.ones(3), texture, _density(rng, site, site.focus), site)


def _density(rng: Generator, site: Site, distance: float) -> float:
    """Texels per world unit of a surface whose texture repeats a few times or never across this distance's view."""
    return site.focal / distance * uniform(rng, (0.4, 1.3)) * SIZE / 128


def _fixed(shape: Shape, place: Array, size: Array, texture: int, density: float, site: Site) -> Part:
    still = np.broadcast_to(place @ transforms.scaling(size), (len(site.cameras), 4, 4))
    return Part(shape, still, size, texture, density)
