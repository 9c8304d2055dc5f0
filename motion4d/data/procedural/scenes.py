"""One random scene: lens, stage, subject, camera path, world, objects, light. All from one numpy Generator.

The order matters: the first moving object's motion is drawn before the camera, which may follow it; the world is built
around the camera path; objects are placed where the middle camera sees them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural import cameras, transforms, worlds
from motion4d.data.procedural.actors import Actor, Frame, Setting, clear_of_camera, make, paint_actors, still_actors
from motion4d.data.procedural.cameras import CameraPath, Shot
from motion4d.data.procedural.difficulty import Difficulty
from motion4d.data.procedural.draws import choose, count, direction, happens, log_uniform, uniform, wobble
from motion4d.data.procedural.parts import Look, Scenery, Shadow
from motion4d.data.procedural.worlds import Paint, Site, Stage, World

Array = NDArray[np.float64]


def sample(
    rng: Generator,
    difficulty: Difficulty,
    size: tuple[int, int, int],
    *,
    static_scene: bool,
    field_of_view: float | None = None,
) -> Scenery:
    """A scene of (num_frames, height, width); in a static scene only the camera moves.

    field_of_view: the horizontal one in degrees; None: a random one.
    """
    drawn = uniform(rng, (38, 72))  # also where it is not used, so that the rest of the scene is the same
    angle = drawn if field_of_view is None else field_of_view
    frame = Frame(*size, focal=size[2] / 2 / np.tan(np.radians(angle) / 2))
    focus = uniform(rng, (3.0, 6.0))
    stage = worlds.plan(rng, _world(rng, difficulty), focus)
    setting = Setting(difficulty, frame, stage, focus)
    movers = 0 if static_scene else max(1, count(rng, difficulty.moving_objects))
    actors = [make(rng, setting, rank=rank, moves=True) for rank in range(movers)]
    path = _camera_kind(rng, difficulty, static_scene=static_scene)
    poses = _camera(rng, setting, path, actors)
    actors += still_actors(rng, setting)
    actors = [actor for actor in actors if clear_of_camera(actor, poses)]
    paint = Paint(difficulty.texture_contrast, difficulty.plain_share)
    site = _site(setting, poses, actors)
    parts = stage.kind(rng, site, paint)
    parts += paint_actors(rng, difficulty, paint, actors, parts)
    look = _look(rng, difficulty, frame)
    name = _name(stage, path, actors)
    shadows = _shadows(rng, difficulty, stage, actors)
    return Scenery(name, poses, frame.focal, tuple(parts), np.stack(paint.images), shadows, look)


def _site(setting: Setting, poses: Array, actors: Sequence[Actor]) -> Site:
    positions = poses[:, :3, 3]
    inside = np.concatenate([positions, *(actor.way[:, :3, 3] for actor in actors if actor.moves)])
    return Site(positions, inside, setting.focus, setting.frame.focal, setting.stage.ground)


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


def _camera(
    rng: Generator,
    setting: Setting,
    path: CameraPath,
    actors: Sequence[Actor],
) -> Array:
    """[N, 4, 4] camera to world."""
    difficulty, frame, focus = setting.difficulty, setting.frame, setting.focus
    look = transforms.turn(0, -setting.stage.pitch)
    subject = np.broadcast_to([0.0, 0.0, focus], (frame.num_frames, 3))
    if actors:
        subject = transforms.apply(np.linalg.inv(look), actors[0].way[:, :3, 3])
    speed = log_uniform(rng, difficulty.camera_speed_px) * frame.scale
    shot = Shot(frame.times, focus, speed * focus / frame.focal, speed / frame.focal, subject)
    poses = look @ path(rng, shot)
    shaking = uniform(rng, difficulty.shake_px) * frame.scale / frame.focal
    unrest = cameras.shake(rng, frame.times, angle=shaking, step=shaking * focus * 0.5)
    return poses if path is cameras.static else poses @ unrest


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
