"""Actors: bodies with a size, a place in the picture and a way through the world, moving or still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural import bodies, transforms
from motion4d.data.procedural.bodies import Body, BodyKind
from motion4d.data.procedural.difficulty import REFERENCE_WIDTH, Difficulty
from motion4d.data.procedural.draws import activity, choose, count, direction, happens, log_uniform, uniform
from motion4d.data.procedural.parts import Part
from motion4d.data.procedural.textures import palette
from motion4d.data.procedural.worlds import Paint, Stage

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """Size of the pictures, focal length in pixels, and how many of REFERENCE_WIDTH's pixels one pixel here is."""

    num_frames: int
    height: int
    width: int
    focal: float

    @property
    def scale(self) -> float:
        """Pixels here per reference pixel."""
        return self.width / REFERENCE_WIDTH

    @property
    def times(self) -> Array:
        """[N] frames from the middle one."""
        return np.arange(self.num_frames, dtype=np.float64) - self.num_frames // 2


@dataclass(frozen=True)
class Setting:
    """What a scene is drawn for: how hard, which pictures, which stage, and how far away the subject is."""

    difficulty: Difficulty
    frame: Frame
    stage: Stage
    focus: float


@dataclass(frozen=True)
class Actor:
    """An object before it is painted: its body's limbs in the body frame, and the body's way [N, 4, 4] in the world."""

    kind: str
    body: Body
    way: Array
    radius: float
    moves: bool


def make(
    rng: Generator,
    setting: Setting,
    *,
    rank: int,
    moves: bool,
    near: bool = False,
) -> Actor:
    """An object somewhere in the middle camera's view. rank 0 is the subject: central and larger."""
    difficulty, frame = setting.difficulty, setting.frame
    main = rank == 0 and moves
    nearness = (0.35, 0.75) if near else (0.85, 1.15) if main else (0.75, 2.2)
    distance = setting.focus * uniform(rng, nearness)
    area = log_uniform(rng, difficulty.object_area if main else difficulty.other_area)
    radius = np.sqrt(area * frame.height * frame.width / 2.2) * distance / frame.focal
    kind = _body_kind(rng, difficulty)
    clock = np.zeros(frame.num_frames)
    if moves:
        pace = activity(rng, frame.num_frames) if happens(rng, difficulty.stopping_share) else clock + 1
        clock = np.cumsum(pace)
        clock -= clock[frame.num_frames // 2]
    body = kind(rng, clock)
    if kind in (bodies.solid, bodies.compound, bodies.card) and happens(rng, difficulty.deforming_share):
        body = bodies.deform(rng, body, clock)
    walks = kind in (bodies.vehicle, bodies.biped, bodies.quadruped) or happens(rng, 0.4)
    grounded = setting.stage.ground is not None and walks
    spread = 0.3 if main else 0.55
    column, row = rng.uniform(-spread, spread, 2) * (1.0, 0.8)
    way = _motion(rng, setting, clock, distance, walks=walks)
    start = _place(setting, body, distance, radius, (column, row), grounded=grounded)
    way = transforms.translation(start) @ way @ transforms.scaling(np.full(3, radius))
    return Actor(kind.__name__, body, way, float(radius), moves)


def still_actors(rng: Generator, setting: Setting) -> list[Actor]:
    """Objects that stand still all the time, near ones first; drawn as the moving ones are."""
    near = [True] * count(rng, setting.difficulty.near_objects) + [False] * count(rng, setting.difficulty.still_objects)
    return [make(rng, setting, rank=rank, moves=False, near=is_near) for rank, is_near in enumerate(near)]


def clear_of_camera(actor: Actor, poses: Array) -> bool:
    """Does the body keep away from the camera in all frames?"""
    gap = np.linalg.norm(actor.way[:, :3, 3] - poses[:, :3, 3], axis=1)
    return bool(gap.min() > 1.6 * actor.radius + 0.3)


def paint_actors(
    rng: Generator, difficulty: Difficulty, paint: Paint, actors: Sequence[Actor], world: Sequence[Part]
) -> list[Part]:
    """The actors' parts; things are numbered from 1, still ones included (they never show up as instances)."""
    parts = []
    for thing, actor in enumerate(actors, start=1):
        colours = palette(rng)
        hidden = happens(rng, difficulty.camouflage_share)
        textures = [world[-1].texture] if hidden else [paint.new(rng, colours) for _ in range(min(3, len(actor.body)))]
        density = world[-1].density if hidden else 128 / actor.radius * uniform(rng, (0.12, 0.6))
        for limb in actor.body:
            texture = textures[int(rng.integers(len(textures)))]
            place = actor.way @ limb.limb_to_body
            parts.append(Part(limb.shape, place, limb.size * actor.radius, texture, density, thing))
    return parts


def _body_kind(rng: Generator, difficulty: Difficulty) -> BodyKind:
    return choose(
        rng,
        (
            (difficulty.body_solid, bodies.solid),
            (difficulty.body_compound, bodies.compound),
            (difficulty.body_card, bodies.card),
            (difficulty.body_vehicle, bodies.vehicle),
            (difficulty.body_biped, bodies.biped),
            (difficulty.body_quadruped, bodies.quadruped),
            (difficulty.body_snake, bodies.snake),
            (difficulty.body_blob, bodies.blob),
        ),
    )


def _motion(rng: Generator, setting: Setting, clock: Array, distance: float, *, walks: bool) -> Array:
    """[N, 4, 4] the body's rigid motion around its place in the middle frame, as a function of its clock."""
    difficulty, frame = setting.difficulty, setting.frame
    speed = log_uniform(rng, difficulty.object_speed_px) * frame.scale * distance / frame.focal
    if happens(rng, difficulty.in_place_share):
        speed *= 0.05
    bend = rng.normal(0, 0.03)
    if walks:
        heading = uniform(rng, (-0.9, 0.9)) + (np.pi if happens(rng, 0.5) else 0)
        turns = transforms.turn(1, heading + bend * clock)
        ahead = np.stack([np.cos(heading + bend * clock), 0 * clock, -np.sin(heading + bend * clock)], -1)
        return transforms.translation(_integrate(ahead * speed, clock)) @ turns
    way = direction(rng) * np.array([1, 0.7, 0.4])
    way /= np.linalg.norm(way)
    side = direction(rng) * speed
    steps = way * speed + side * np.sin(clock * uniform(rng, (0.1, 0.4)) + uniform(rng, (0, 6.3)))[:, None] * 0.8
    spin = rng.normal(0, 0.05, 3) * (3.0 if happens(rng, 0.3) else 1.0)
    pose = transforms.rotation(rng.uniform(-0.7, 0.7, 3) + 0 * clock[:, None])
    return transforms.translation(_integrate(steps, clock)) @ transforms.rotation(spin * clock[:, None]) @ pose


def _integrate(velocity: Array, clock: Array) -> Array:
    """[N, 3] way travelled at this velocity [N, 3] per tick of the clock [N], 0 in the middle frame."""
    ticks = np.diff(clock, prepend=clock[:1])[:, None]
    way = np.cumsum(velocity * ticks, 0)
    return way - way[len(way) // 2]


def _place(
    setting: Setting, body: Body, distance: float, radius: float, spot: tuple[float, float], *, grounded: bool
) -> Array:
    """[3] world position for a body seen at spot (column, row): frame sizes from the middle picture's centre."""
    frame, stage = setting.frame, setting.stage
    ray = np.array([spot[0] * frame.width / frame.focal, spot[1] * frame.height / frame.focal, 1.0])
    position = transforms.apply(transforms.turn(0, -stage.pitch), ray * distance)
    _, high = bodies.extents(body)
    if stage.ground is not None:
        lowest = stage.ground - high[1] * radius
        position[1] = lowest if grounded else min(position[1], lowest)
    return position
