"""Camera paths: poses relative to the middle frame's, [N, 4, 4], in that camera's axes (x right, y down, z ahead)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from motion4d.data.procedural import transforms
from motion4d.data.procedural.draws import sign, uniform, wobble

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shot:
    """What a path is planned with.

    times [N] frames from the middle; focus: distance of the subject; step: world units that move the image at that
    distance by the wanted speed, per frame; angle: the same in radians; subject [N, 3]: where the first moving object
    is, relative to the middle camera.
    """

    times: Array
    focus: float
    step: float
    angle: float
    subject: Array


CameraPath = Callable[[Generator, Shot], Array]


def static(rng: Generator, shot: Shot) -> Array:
    """A tripod."""
    return transforms.identity(shot.times.shape)


def handheld(rng: Generator, shot: Shot) -> Array:
    """Somebody who tries to hold still, and does not."""
    sway = wobble(rng, shot.times, 24, 3) * shot.step * 3
    look = wobble(rng, shot.times, 20, 3) * shot.angle * 2 * np.array([1, 1, 0.5])
    return _from_middle(transforms.translation(sway) @ transforms.rotation(look), shot)


def pan(rng: Generator, shot: Shot) -> Array:
    """A turning camera."""
    axis = np.array([uniform(rng, (-0.4, 0.4)), sign(rng), uniform(rng, (-0.1, 0.1))])
    return transforms.rotation(_ease(rng, shot)[:, None] * shot.angle * axis)


def truck(rng: Generator, shot: Shot) -> Array:
    """A camera carried sideways."""
    way = np.array([sign(rng), uniform(rng, (-0.3, 0.3)), uniform(rng, (-0.3, 0.3))])
    return transforms.translation(_ease(rng, shot)[:, None] * shot.step * way)


def orbit(rng: Generator, shot: Shot) -> Array:
    """A camera that goes around the subject and keeps looking at it."""
    centre = np.array([0, 0, shot.focus * uniform(rng, (0.8, 1.3))])
    axis = np.array([uniform(rng, (-0.25, 0.25)), sign(rng), 0.0])
    turning = transforms.rotation(_ease(rng, shot)[:, None] * shot.angle * 1.5 * axis)
    return transforms.translation(centre) @ turning @ transforms.translation(-centre)


def dolly(rng: Generator, shot: Shot) -> Array:
    """A camera that goes ahead or back; at most a third of the way to the subject."""
    way = np.array([uniform(rng, (-0.3, 0.3)), uniform(rng, (-0.1, 0.1)), sign(rng) * 2])
    longest = 0.35 * shot.focus / max(1.0, np.abs(shot.times).max())
    return transforms.translation(_ease(rng, shot)[:, None] * min(shot.step, longest / 2) * way)


def follow(rng: Generator, shot: Shot) -> Array:
    """A camera carried along with the subject, so that the subject hardly moves in the image."""
    moved = shot.subject - shot.subject[len(shot.subject) // 2]
    return transforms.translation(moved * uniform(rng, (0.75, 1.1)))


def track(rng: Generator, shot: Shot) -> Array:
    """A camera that turns after the subject."""
    x, y, z = shot.subject.T
    yaw, pitch = np.arctan2(x, z), -np.arctan2(y, np.hypot(x, z))
    gain = uniform(rng, (0.8, 1.05))
    middle = len(yaw) // 2
    yaw, pitch = (yaw - yaw[middle]) * gain, (pitch - pitch[middle]) * gain
    look = transforms.turn(1, yaw) @ transforms.turn(0, pitch)
    return transforms.translation(wobble(rng, shot.times, 30, 3) * shot.step) @ look


def shake(rng: Generator, times: Array, *, angle: float, step: float) -> Array:
    """[N, 4, 4] the unrest of a hand: quick small turns (radians) and shifts (world units)."""
    turns = wobble(rng, times, 7, 3) * angle * np.array([1, 1, 0.7])
    return transforms.translation(wobble(rng, times, 9, 3) * step) @ transforms.rotation(turns)


def _ease(rng: Generator, shot: Shot) -> Array:
    """[N] way along a path, in frames from the middle; the pace changes smoothly around 1."""
    pace = 1 + 0.35 * wobble(rng, shot.times, 20, 1)[:, 0]
    way = np.cumsum(pace)
    return way - way[len(way) // 2]


def _from_middle(path: Array, shot: Shot) -> Array:
    return np.linalg.inv(path[len(shot.times) // 2]) @ path
