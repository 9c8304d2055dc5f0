"""The term of pretraining on 2D tracks: is a track what a line along, or a circle around, the said axis looks like?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from motion4d.geometry.lines import line_distance, unit
from motion4d.geometry.twists import orbit, twist_about
from motion4d.geometry.unit_images import lift, project_in_front
from motion4d.losses.parts.lifted import lifted
from motion4d.losses.parts.reading import (
    camera,
    mean_where,
    nothing,
    relative,
    rotation_probability,
    row_means,
    said,
    track,
)
from motion4d.losses.parts.seen_curves import seen_distance
from motion4d.part import PartPrediction, PartQuery

SAMPLES = 64  # of a circle
STEP = 0.1  # along an axis, relative to the depth
LEAST_EXTENT = 1e-6  # of a track, in units of the image


def projected(
    prediction: PartPrediction, query: PartQuery, *, radius_weight: float = 0.1, radius_scale: float = 1.0
) -> Tensor:
    """(1-p) * line + p * circle, p: of a rotation; a mean over tracks: a scalar.

    line: mean distance of the track to the axis through its first point, lifted with the measured depth; circle: to the
    circle of that point around the axis through the network's point at its depth of the origin, + radius_weight *
    relu(radius - s) / s, s: metres. In units of the image. Tracks count that move, start seen and measured, and have
    two seen points. Skipped without tracks.
    """
    known = track(query)
    if known is None:
        return nothing(prediction)
    points, seen = known
    intrinsics, p = camera(query), rotation_probability(prediction)
    axis = unit(said(prediction, "axis"))
    start, measured = lifted(points[:, 0], query)
    line = _line_distance(points, start, axis, intrinsics)
    centre = lift(said(prediction, "point"), said(prediction, "origin_depth"), intrinsics)
    radius = line_distance(start, centre, axis)
    circle = seen_distance(points, _circle(start, centre, axis), intrinsics)
    large = radius_weight * (radius - radius_scale).relu() / radius_scale
    residual = (1 - p) * row_means(line, seen) + p * (row_means(circle, seen) + large)
    extent = torch.where(seen, relative(points).norm(dim=-1), 0.0).amax(dim=1)
    return mean_where(residual, (extent > LEAST_EXTENT) & seen[:, 0] & (seen.sum(dim=1) >= 2) & measured)


def _line_distance(points: Tensor, start: Tensor, axis: Tensor, intrinsics: Tensor) -> Tensor:
    """Of points [B, T, 2] to the line through `start` along `axis`, as seen: [B, T]."""
    ends = torch.stack((start, start + STEP * start[:, 2:] * axis), dim=1)
    first, second = project_in_front(ends, intrinsics).unbind(dim=1)
    along = torch.nn.functional.normalize(second - first, dim=-1, eps=1e-8).unsqueeze(1)
    offset = points - first.unsqueeze(1)
    return (offset[..., 0] * along[..., 1] - offset[..., 1] * along[..., 0]).abs()


def _circle(start: Tensor, centre: Tensor, axis: Tensor) -> Tensor:
    turns = torch.ones_like(start[:, 0], dtype=torch.bool)
    angles = torch.linspace(-math.pi, math.pi, SAMPLES, device=start.device).expand(len(start), SAMPLES)
    return orbit(twist_about(axis, turns, centre), start, angles)
