"""Part and Scenery: what the renderer is given, with no randomness left in it but the sensor's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.data.procedural.shapes import Shape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One shape on its way through a clip.

    local_to_world [N, 4, 4] affine: a surface point keeps its local coordinates, so motion is exact.
    size [3]: world units per local unit at rest (lays the texture on without stretching it).
    texture: row of Scenery.textures; density: texels per world unit; thing: which object it belongs to, 0 = background.
    """

    shape: Shape
    local_to_world: Array
    size: Array
    texture: int
    density: float
    thing: int = 0


@dataclass(frozen=True)
class Shadow:
    """A soft dark spot on the background: centres [N, 3] in the world, radius in world units."""

    centres: Array
    radius: float
    strength: float


@dataclass(frozen=True)
class Look:
    """Light and photography of a clip. light [3]: unit vector towards the light; exposure [N]: factor per frame."""

    light: Array
    ambient: float
    exposure: Array
    shutter: float
    blur_px: float
    noise: float
    noise_seed: int


@dataclass(frozen=True)
class Scenery:
    """A clip before rendering: camera_to_world [N, 4, 4], focal length in pixels, textures [T, S, S, 3] in [0, 1]."""

    name: str
    camera_to_world: Array
    focal: float
    parts: tuple[Part, ...]
    textures: NDArray[np.float32]
    shadows: tuple[Shadow, ...]
    look: Look
