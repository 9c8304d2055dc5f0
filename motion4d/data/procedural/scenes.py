"""One random scene: lens, stage, subject, camera path, world, objects, light. All from one numpy Generator.

The order matters: the first moving object's motion is drawn before the camera, which may follow it; the world is built
around the camera path; objects are placed where the middle camera sees them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural import bodies, cameras, transforms, worlds
from motion4d.data.procedural.bodies import Body, BodyKind
from motion4d.data.procedural.cameras import CameraPath, Shot
from motion4d.data.procedural.difficulty import REFERENCE_WIDTH, Difficulty
from motion4d.data.procedural.draws import (
    activity,
    choose,
    count,
    direction,
    happens,
    log_uniform,
    sign,
    uniform,
    wobble,
)
from motion4d.data.procedural.parts import Look, Part, Scenery, Shadow
from motion4d.data.procedural.textures import palette
from motion4d.data.procedural.worlds import Paint, Site, Stage, World

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
class Actor:
    """An object before it is painted: its body's limbs in the body frame, and the body's way [N, 4, 4] in the world."""

    kind: str
    body: Body
    way: Array
    radius: float
    moves: bool


def sample(rng: Generator, difficulty: Difficulty, size: tuple[int, int, int], *, static_scene: bool) -> Scenery:
    """A scene of (num_frames, height, width); in a static scene only the camera moves."""
    frame = Frame(*size, focal=size[2] / 2 / np.tan(np.radians(uniform(rng, (38, 72))) / 2))
    focus = uniform(rng, (3.0, 6.0))
    stage = worlds.plan(rng, _world(rng, difficulty), focus)
    movers = 0 if static_scene else max(1, count(rng, difficulty.moving_objects))
    actors = [_actor(rng, difficulty, frame, stage, focus, rank=rank, moves=True) for rank in range(movers)]
    path = _camera_kind(rng, difficulty, static_scene=static_scene)
    poses = _camera(rng, difficulty, frame, stage, focus, path, actors)
    actors += _still_actors(rng, difficulty, frame, stage, focus)
    actors = [actor for actor in actors if _clear_of_camera(actor, poses)]
    paint = Paint(difficulty.texture_contrast, difficulty.plain_share)
    site = _site(frame, stage, focus, poses, actors)
    parts = stage.kind(rng, site, paint)
    parts += _paint_actors(rng, difficulty, frame, paint, actors, parts)
    look = _look(rng, difficulty, frame)
    name = _name(stage, path, actors)
    shadows = _shadows(rng, difficulty, stage, actors)
    return Scenery(name, poses, frame.focal, tuple(parts), np.stack(paint.images), shadows, look)


def _site(frame: Frame, stage: Stage, focus: float, poses: Array, actors: Sequence[Actor]) -> Site:
    positions = poses[:, :3, 3]
    inside = np.concatenate([positions, *(actor.way[:, :3, 3] for actor in actors if actor.moves)])
    return Site(positions, inside, focus, frame.focal, stage.ground)


def _world(rng: Generator, difficulty: Difficulty) -> World:
    return choose(
        rng,
        (
            (difficulty.world_room, worlds.room),
            (difficulty.world_ground, worlds.ground),
            (difficulty.world_plane, worlds.plane),
            (difficulty.world_far, worlds.far),
        ),
    )


def _camera_kind(rng: Generator, difficulty: Difficulty, *, static_scene: bool) -> CameraPath:
    """In a static scene the camera moves, and there is nobody to follow."""
    alone: list[tuple[float, CameraPath]] = [
        (difficulty.camera_handheld, cameras.handheld),
        (difficulty.camera_pan, cameras.pan),
        (difficulty.camera_truck, cameras.truck),
        (difficulty.camera_orbit, cameras.orbit),
        (difficulty.camera_dolly, cameras.dolly),
    ]
    social: list[tuple[float, CameraPath]] = [
        (difficulty.camera_static, cameras.static),
        (difficulty.camera_follow, cameras.follow),
        (difficulty.camera_track, cameras.track),
    ]
    return choose(rng, alone if static_scene else alone + social)


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


def _actor(
    rng: Generator,
    difficulty: Difficulty,
    frame: Frame,
    stage: Stage,
    focus: float,
    *,
    rank: int,
    moves: bool,
    near: bool = False,
) -> Actor:
    """An object somewhere in the middle camera's view. rank 0 is the subject: central and larger."""
    main = rank == 0 and moves
    nearness = (0.35, 0.75) if near else (0.85, 1.15) if main else (0.75, 2.2)
    distance = focus * uniform(rng, nearness)
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
    grounded = stage.ground is not None and walks
    spread = 0.3 if main else 0.55
    column, row = rng.uniform(-spread, spread, 2) * (1.0, 0.8)
    way = _motion(rng, difficulty, frame, clock, distance, walks=walks, moves=moves)
    start = _place(frame, stage, body, distance, radius, column, row, grounded=grounded)
    way = transforms.translation(start) @ way @ transforms.scaling(np.full(3, radius))
    return Actor(kind.__name__, body, way, float(radius), moves)


def _motion(
    rng: Generator, difficulty: Difficulty, frame: Frame, clock: Array, distance: float, *, walks: bool, moves: bool
) -> Array:
    """[N, 4, 4] the body's rigid motion around its place in the middle frame, as a function of its clock."""
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
    frame: Frame,
    stage: Stage,
    body: Body,
    distance: float,
    radius: float,
    column: float,
    row: float,
    *,
    grounded: bool,
) -> Array:
    """[3] world position for a body seen at (column, row), in frame sizes from the centre of the middle picture."""
    ray = np.array([column * frame.width / frame.focal, row * frame.height / frame.focal, 1.0])
    position = transforms.apply(transforms.turn(0, -stage.pitch), ray * distance)
    low, high = bodies.extents(body)
    if stage.ground is not None:
        lowest = stage.ground - high[1] * radius
        position[1] = lowest if grounded else min(position[1], lowest)
    return position


def _still_actors(
    rng: Generator, difficulty: Difficulty, frame: Frame, stage: Stage, focus: float
) -> list[Actor]:
    near = [True] * count(rng, difficulty.near_objects) + [False] * count(rng, difficulty.still_objects)
    return [
        _actor(rng, difficulty, frame, stage, focus, rank=rank, moves=False, near=is_near)
        for rank, is_near in enumerate(near)
    ]


def _camera(
    rng: Generator,
    difficulty: Difficulty,
    frame: Frame,
    stage: Stage,
    focus: float,
    path: CameraPath,
    actors: Sequence[Actor],
) -> Array:
    """[N, 4, 4] camera to world."""
    look = transforms.turn(0, -stage.pitch)
    subject = np.broadcast_to([0.0, 0.0, focus], (frame.num_frames, 3))
    if actors:
        subject = transforms.apply(np.linalg.inv(look), actors[0].way[:, :3, 3])
    speed = log_uniform(rng, difficulty.camera_speed_px) * frame.scale
    shot = Shot(frame.times, focus, speed * focus / frame.focal, speed / frame.focal, subject)
    poses = look @ path(rng, shot)
    shaking = uniform(rng, difficulty.shake_px) * frame.scale / frame.focal
    unrest = cameras.shake(rng, frame.times, angle=shaking, step=shaking * focus * 0.5)
    return poses if path is cameras.static else poses @ unrest


def _clear_of_camera(actor: Actor, poses: Array) -> bool:
    """Does the body keep away from the camera in all frames?"""
    gap = np.linalg.norm(actor.way[:, :3, 3] - poses[:, :3, 3], axis=1)
    return bool(gap.min() > 1.6 * actor.radius + 0.3)


def _paint_actors(
    rng: Generator, difficulty: Difficulty, frame: Frame, paint: Paint, actors: Sequence[Actor], world: Sequence[Part]
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


def _shadows(rng: Generator, difficulty: Difficulty, stage: Stage, actors: Sequence[Actor]) -> tuple[Shadow, ...]:
    if stage.ground is None or not happens(rng, difficulty.shadow_share):
        return ()
    strength = uniform(rng, (0.2, 0.7))
    shift = rng.uniform(-0.5, 0.5, 2)
    shadows = []
    for actor in actors[:8]:
        centres = actor.way[:, :3, 3].copy()
        rise = stage.ground - centres[:, 1:2]
        centres[:, [0, 2]] += rise * shift
        centres[:, 1] = stage.ground
        shadows.append(Shadow(centres, 0.9 * actor.radius, strength))
    return tuple(shadows)


def _look(rng: Generator, difficulty: Difficulty, frame: Frame) -> Look:
    light = direction(rng)
    light[1] = -abs(light[1]) - 0.2
    drift = wobble(rng, frame.times, 25, 1)[:, 0] * difficulty.exposure_drift
    return Look(
        light=light / np.linalg.norm(light),
        ambient=uniform(rng, difficulty.ambient),
        exposure=1 + drift,
        shutter=uniform(rng, difficulty.shutter),
        blur_px=uniform(rng, difficulty.blur_px),
        noise=uniform(rng, difficulty.noise),
        noise_seed=int(rng.integers(2**31)),
    )


def _name(stage: Stage, path: CameraPath, actors: Sequence[Actor]) -> str:
    """Such as "room_orbit_biped_snake" or "far_pan_static_scene"."""
    movers = [actor.kind for actor in actors if actor.moves] or ["static", "scene"]
    return "_".join([stage.kind.__name__, path.__name__, *movers])
