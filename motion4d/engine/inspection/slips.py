"""The usual slips of whoever writes a loader, as changes that undo them.

A measure of disagreement (0: all is well) is computed for the truth as it is and with every slip undone. Where one of
them makes it vanish, that slip is named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from motion4d.engine.inspection.points import Rig
from motion4d.geometry.projection import pixel_grid

Measure = Callable[[Rig], float]


@dataclass(frozen=True)
class Explanation:
    """sentence: what is wrong with the truth; rig: the truth without it; error: what is left of the disagreement."""

    sentence: str
    rig: Rig
    error: float


def best_explanation(rig: Rig, measure: Measure) -> Explanation:
    """The slip whose undoing leaves the least disagreement."""
    undone = {
        "the poses are inverted: camera_to_world holds world_to_camera": _inverted(rig),
        "the poses have OpenGL's camera axes (y up, z backward) instead of OpenCV's": _turned(rig),
        "the depth is the distance along the viewing ray instead of z": _without_ray_length(rig),
        "the depth is inverted: it is disparity (1 / z)": replace(rig, depth=_reciprocal(rig)),
    }
    factor = best_factor(lambda k: measure(_deeper(rig, k)), decades=4)
    wrong = f"{1 / factor:.3g} times too large" if factor < 1 else f"{factor:.3g} times too small"
    undone[f"the depth is {wrong} for the translations of the poses (another unit?)"] = _deeper(rig, factor)
    factor = best_factor(lambda k: measure(_for_size(rig, k)), decades=1)
    undone[f"the intrinsics belong to images of another size, {1 / factor:.3g} times as large"] = _for_size(rig, factor)
    explanations = [Explanation(sentence, other, measure(other)) for sentence, other in undone.items()]
    return min(explanations, key=lambda one: one.error)


def best_factor(error_of: Callable[[float], float], *, decades: int) -> float:
    """The factor within 10^+-decades that makes the error least, to about 1 %."""
    steps = [10 ** (k / 20) for k in range(-20 * decades, 20 * decades + 1)]
    coarse = min(steps, key=error_of)
    return min((coarse * 10 ** (k / 200) for k in range(-10, 11)), key=error_of)


def _inverted(rig: Rig) -> Rig:
    return replace(rig, camera_to_world=torch.linalg.inv(rig.camera_to_world))


def _turned(rig: Rig) -> Rig:
    return replace(rig, camera_to_world=rig.camera_to_world * rig.depth.new_tensor([1.0, -1, -1, 1]))


def _without_ray_length(rig: Rig) -> Rig:
    grid = pixel_grid(*rig.depth.shape[-2:], like=rig.depth)
    focal, centre = rig.intrinsics[:, (0, 1), (0, 1)], rig.intrinsics[:, :2, 2]
    slopes = (grid - centre[:, None, None]) / focal[:, None, None]
    return replace(rig, depth=rig.depth / (1 + slopes.square().sum(-1)).sqrt())


def _reciprocal(rig: Rig) -> torch.Tensor:
    return torch.where(rig.depth > 0, 1 / rig.depth.clamp(min=1e-9), 0)


def _deeper(rig: Rig, factor: float) -> Rig:
    return replace(rig, depth=rig.depth * factor)


def _for_size(rig: Rig, factor: float) -> Rig:
    """Intrinsics for images `factor` times as large, centres by the half-pixel rule."""
    scaled = rig.intrinsics.clone()
    scaled[:, :2] *= factor
    scaled[:, :2, 2] += (factor - 1) / 2
    return replace(rig, intrinsics=scaled)


def is_explained(before: float, after: float, *, floor: float) -> bool:
    """Whether undoing a slip takes away so much of a disagreement above `floor` that it must be the reason."""
    return math.isfinite(after) and before > floor and after < before / 4
