"""Terms on the touched point and on the origin of the motion.

An origin may be any point of the axis; what the terms compare with is q*, the one nearest to where the true trajectory
starts. It counts for rotations, and where the camera is known only if it lies within the image.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from motion4d.geometry.lines import perpendicular_foot, unit
from motion4d.geometry.unit_images import NEAR, depth_at, project_in_front
from motion4d.losses.parts.masks import heatmap_entropy
from motion4d.losses.parts.reading import (
    camera,
    mean_where,
    measured_depth,
    nothing,
    rotates,
    said,
    true,
    truth_of,
)
from motion4d.part import PartPrediction, PartQuery


class SeenPoint(NamedTuple):
    """uv: of the unit square, [..., 2]; valid: in front of the camera and within the image, [...] bool."""

    uv: Tensor
    valid: Tensor


def coord(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """|x - x*|, |y - y*| of the touched point: [B, 2]."""
    return (said(prediction, "point") - true(query, "point")).abs()


def point_3d(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Squared difference of the lifted point and the start of the trajectory: [B, 3]; skipped without trajectories."""
    trajectory = truth_of(query).trajectory
    if trajectory is None:
        return nothing(prediction)
    return (said(prediction, "point_3d") - trajectory[:, 0].float()).square()


def origin(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Mean of |o - q*|^2 over rotations: a scalar; skipped without trajectories or origins."""
    nearest = nearest_origin(query)
    if nearest is None:
        return nothing(prediction)
    error = (said(prediction, "origin") - nearest).square().sum(dim=-1)
    return mean_where(error, _counts(query, nearest))


def origin_map(prediction: PartPrediction, query: PartQuery, *, sigma: float = 8.0) -> Tensor:
    """Mean cross-entropy of the origin's heatmap against a Gaussian at q*, over rotations: a scalar."""
    nearest = nearest_origin(query)
    if nearest is None:
        return nothing(prediction)
    seen = project_q_star(nearest, camera(query))
    entropy = heatmap_entropy(said(prediction, "origin_logits"), seen.uv, sigma=sigma).mean((-2, -1))
    return mean_where(entropy, rotates(query) & seen.valid)


def depth_anchor(prediction: PartPrediction, query: PartQuery, *, nearest: float = 1e-3) -> Tensor:
    """Mean squared difference of the lifted point's z and the measured depth there, where that is: a scalar."""
    measured = depth_at(measured_depth(query), said(prediction, "point").detach())
    return mean_where((said(prediction, "point_3d")[:, 2] - measured).square(), measured > nearest)


def nearest_origin(query: PartQuery) -> Tensor | None:
    """q* [B, 3], or None where the trajectory or the origin is not known."""
    truth = truth_of(query)
    if truth.trajectory is None or truth.origin is None:
        return None
    return perpendicular_foot(truth.trajectory[:, 0].float(), truth.origin.float(), unit(true(query, "axis").float()))


def project_q_star(point: Tensor, intrinsics: Tensor) -> SeenPoint:
    """Where a camera of the unit square sees points [..., 3]."""
    uv = project_in_front(point, intrinsics)
    within = ((uv >= 0) & (uv < 1)).all(dim=-1)
    return SeenPoint(uv, within & (point[..., 2] > NEAR))


def _counts(query: PartQuery, nearest: Tensor) -> Tensor:
    turning = rotates(query)
    return turning if query.intrinsics is None else turning & project_q_star(nearest, camera(query)).valid
