"""Bodies: what moves (or stands still), as limbs with transforms over time.

A body lives in its own frame: x ahead, y down, z to its side; about as large as a ball of radius 1. `phase` [N] is the
body's own clock in frames: everything that changes is a function of it, so a body whose clock stands still is rigid and
at rest, and a still object is drawn exactly as a moving one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural.draws import choose, count, sign, uniform
from motion4d.data.procedural.shapes import Box, Card, Cylinder, Ellipsoid, Shape
from motion4d.data.procedural.transforms import apply, identity, rotation, scaling, translation, turn

Array = NDArray[np.float64]

_BALL: Shape = Ellipsoid()
_BOX: Shape = Box()
_CYLINDER: Shape = Cylinder()


@dataclass(frozen=True)
class Limb:
    """One shape of a body. limb_to_body [N, 4, 4] is affine; size [3]: half extents at rest."""

    shape: Shape
    limb_to_body: Array
    size: Array


Body = list[Limb]
BodyKind = Callable[[Generator, Array], Body]


def solid(rng: Generator, phase: Array) -> Body:
    """A box, a cylinder or an ellipsoid."""
    size = np.exp(rng.uniform(-0.5, 0.35, 3))
    return [_limb(_any_shape(rng), identity(phase.shape), size)]


def compound(rng: Generator, phase: Array) -> Body:
    """A few shapes stuck together."""
    limbs = []
    for _ in range(count(rng, (2, 4))):
        place = translation(rng.uniform(-0.5, 0.5, 3)) @ rotation(rng.uniform(-1.5, 1.5, 3))
        limbs.append(_limb(_any_shape(rng), _steady(place, phase), np.exp(rng.uniform(-1.2, -0.2, 3))))
    return limbs


def card(rng: Generator, phase: Array) -> Body:
    """A flat thing of irregular outline that faces the viewer more or less."""
    angles = np.linspace(-np.pi, np.pi, 48, endpoint=False)
    waves = sum(
        uniform(rng, (-0.5, 0.5)) / order * np.cos(order * angles + uniform(rng, (0, 6.3))) for order in range(2, 8)
    )
    outline = np.clip(0.7 + np.asarray(waves) * 0.6, 0.2, 1.0)
    facing = rotation(rng.uniform(-0.6, 0.6, 3))
    return [_limb(Card(tuple(outline.tolist())), _steady(facing, phase), np.array([1.2, 1.2, 1.0]))]


def vehicle(rng: Generator, phase: Array) -> Body:
    """A box on turning wheels, with a cabin."""
    half = np.array([uniform(rng, (1.0, 1.5)), uniform(rng, (0.3, 0.5)), uniform(rng, (0.5, 0.7))])
    radius = uniform(rng, (0.25, 0.38))
    limbs = [_limb(Box(), identity(phase.shape), half)]
    cabin = half * np.array([uniform(rng, (0.4, 0.8)), 0.8, 0.9])
    place = translation([uniform(rng, (-0.3, 0.3)), -half[1] - cabin[1] * 0.9, 0])
    roof = choose(rng, ((2.0, _BOX), (1.0, _BALL)))
    limbs.append(_limb(roof, _steady(place, phase), cabin))
    spin = turn(2, phase * uniform(rng, (0.2, 0.7)))
    for ahead in (-0.65, 0.65):
        for side in (-1, 1):
            hub = translation([ahead * half[0], half[1], side * half[2]])
            limbs.append(_limb(Cylinder(), hub @ spin @ turn(0, np.pi / 2), np.array([radius, 0.12, radius])))
    return limbs


def biped(rng: Generator, phase: Array) -> Body:
    """Somebody who walks: swinging legs with knees, arms, a bobbing torso and a head."""
    stride, clock = _gait(rng, phase)
    lean = translation(_bob(clock)) @ turn(2, uniform(rng, (-0.05, 0.2)) + 0.05 * np.sin(clock))
    torso = np.array([0.22, 0.48, 0.32]) * rng.uniform(0.8, 1.25, 3)
    limbs = [_limb(_torso(rng), lean @ _steady(translation([0, -0.2, 0]), phase), torso)]
    limbs.append(_limb(Ellipsoid(), lean @ translation([0.05, -0.95, 0]), np.array([0.2, 0.25, 0.2])))
    for side in (-1, 1):
        hip = lean @ translation([0, 0.2, side * 0.16])
        limbs += _leg(hip, stride * np.sin(clock) * side, clock + side * np.pi / 2, length=0.42, thickness=0.13)
        shoulder = lean @ translation([0, -0.58, side * (torso[2] + 0.08)])
        limbs += _leg(shoulder, -stride * np.sin(clock) * side, clock * 0, length=0.32, thickness=0.09)
    return limbs


def quadruped(rng: Generator, phase: Array) -> Body:
    """An animal on four legs with a head and a tail."""
    stride, clock = _gait(rng, phase)
    trunk = translation(_bob(clock)) @ turn(2, 0.06 * np.sin(clock * 2))
    size = np.array([0.95, 0.36, 0.32]) * rng.uniform(0.85, 1.2, 3)
    limbs = [_limb(_torso(rng), trunk, size)]
    nod = trunk @ translation([size[0], -0.35, 0]) @ turn(2, 0.15 * np.sin(clock))
    limbs.append(_limb(Ellipsoid(), nod, np.array([0.36, 0.24, 0.22])))
    wag = trunk @ translation([-size[0], -0.15, 0]) @ turn(1, 0.5 * np.sin(clock * 1.5)) @ translation([-0.3, 0, 0])
    limbs.append(_limb(Ellipsoid(), wag, np.array([0.4, 0.07, 0.07])))
    for number, (ahead, side) in enumerate(((-1, -1), (1, 1), (-1, 1), (1, -1))):
        beat = clock + (number // 2) * np.pi
        hip = trunk @ translation([ahead * size[0] * 0.7, size[1] * 0.5, side * size[2] * 0.7])
        limbs += _leg(hip, stride * np.sin(beat), beat + np.pi / 2, length=0.34, thickness=0.12)
    return limbs


def snake(rng: Generator, phase: Array) -> Body:
    """A chain of links through which a wave runs."""
    links, swing, pace = count(rng, (4, 7)), uniform(rng, (0.2, 0.6)), uniform(rng, (0.15, 0.5))
    length, thickness = 1.5 / links, uniform(rng, (0.2, 0.4))
    across = rng.integers(1, 3)
    joint = _steady(translation([1.4, 0, 0]), phase)
    limbs = []
    for link in range(links):
        joint = joint @ turn(int(across), swing * np.sin(phase * pace - link))
        limbs.append(_limb(Ellipsoid(), joint @ translation([-length, 0, 0]), [length * 1.3, thickness, thickness]))
        joint = joint @ translation([-2 * length, 0, 0])
    return limbs


def blob(rng: Generator, phase: Array) -> Body:
    """Something soft: lumps that drift and swell."""
    limbs = []
    for _ in range(count(rng, (3, 5))):
        pace, start = uniform(rng, (0.1, 0.45)), uniform(rng, (0, 6.3))
        drift = rng.uniform(-0.5, 0.5, 3) + 0.25 * np.sin(phase * pace + start)[:, None] * rng.uniform(-1, 1, 3)
        swell = 1 + 0.25 * np.sin(phase[:, None] * pace + rng.uniform(0, 6.3, 3))
        limbs.append(_limb(Ellipsoid(), translation(drift) @ scaling(swell), rng.uniform(0.4, 0.85, 3)))
    return limbs


def deform(rng: Generator, body: Body, phase: Array) -> Body:
    """The body under a stretch and a shear that oscillate with its clock."""
    angles = phase[:, None, None] * rng.uniform(0.15, 0.5, (3, 3)) + rng.uniform(0, 6.3, (3, 3))
    strength = uniform(rng, (0.1, 0.35)) * np.where(np.eye(3) > 0, 0.8, 1.0)
    matrix = identity(phase.shape)
    matrix[:, :3, :3] += strength * np.sin(angles)
    return [Limb(limb.shape, matrix @ limb.limb_to_body, limb.size) for limb in body]


def extents(body: Body) -> tuple[Array, Array]:
    """Lowest and highest corner [3] of the body over all frames, from its limbs' boxes."""
    corners = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3) * 0.8
    points = np.concatenate([apply(limb.limb_to_body[:, None], corners).reshape(-1, 3) for limb in body])
    return points.min(0), points.max(0)


def _limb(shape: Shape, place: Array, size: object) -> Limb:
    half = np.asarray(size, dtype=np.float64)
    return Limb(shape, place @ scaling(half), half)


def _leg(hip: Array, swing: Array, beat: Array, *, length: float, thickness: float) -> Body:
    """Upper and lower half of a leg or an arm below a joint [N, 4, 4]; it bends backwards at the knee."""
    upper = hip @ turn(2, swing)
    lower = upper @ translation([0, 2 * length * 0.9, 0]) @ turn(2, 0.35 + 0.35 * np.sin(beat))
    half = np.array([thickness, length, thickness])
    return [_limb(Ellipsoid(), joint @ translation([0, length * 0.9, 0]), half) for joint in (upper, lower)]


def _gait(rng: Generator, phase: Array) -> tuple[float, Array]:
    """How far legs swing (radians), and the angle of their swing [N]."""
    return uniform(rng, (0.3, 0.8)), phase * uniform(rng, (0.25, 0.8)) * sign(rng) + uniform(rng, (0, 6.3))


def _bob(clock: Array) -> Array:
    return np.stack([clock * 0, 0.05 * np.sin(2 * clock), clock * 0], -1)


def _torso(rng: Generator) -> Shape:
    return choose(rng, ((2.0, _BALL), (1.0, _BOX)))


def _any_shape(rng: Generator) -> Shape:
    return choose(rng, ((1.0, _BALL), (1.2, _BOX), (1.0, _CYLINDER)))


def _steady(place: Array, phase: Array) -> Array:
    return np.broadcast_to(place, (*phase.shape, 4, 4))
