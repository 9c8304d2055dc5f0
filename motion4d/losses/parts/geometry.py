"""Terms that ask whether a trajectory and an axis belong together: a line along it, or an arc around it.

An arc's radius is that of the trajectory's start, whose offset from the axis is 0 - o in coordinates relative to it.
"""

from __future__ import annotations

from torch import Tensor

from motion4d.geometry.lines import across, cross, dot, unit
from motion4d.losses.parts.reading import (
    axis_said,
    mean_where,
    nothing,
    relative,
    rotates,
    rotation_probability,
    said,
    true,
    truth_of,
)
from motion4d.part import ROTATION, TRANSLATION, PartPrediction, PartQuery

LEAST_ENERGY = 1e-6  # square metres: a trajectory with less says nothing of an axis


def axis_of_true_trajectory(
    prediction: PartPrediction, query: PartQuery, *, plane_term: bool = False, through_origin: bool = True
) -> Tensor:
    """How badly the true trajectory goes with the axis that the network says, for the true kind: [B], square metres.

    plane_term: an arc must also lie in the plane of the given origin, as published in 2025 (wrong: the origin may be
    any point of the axis). through_origin: a line is that through the origin, as published (right where trajectories of
    translations start there); False: that through the trajectory's start. Skipped without trajectories or origins.
    """
    way, origin = _true_way(query)
    if way is None or origin is None:
        return nothing(prediction)
    return _departure(way, origin, axis_said(prediction, query), rotates(query), plane_term, through_origin)


def trajectory_about_true_axis(
    prediction: PartPrediction,
    query: PartQuery,
    *,
    plane_term: bool = False,
    through_origin: bool = True,
    absolute: bool = False,
) -> Tensor:
    """How badly the trajectory that the network says goes with the true axis, for the true kind: [B], square metres."""
    way, origin = _true_way(query)
    if way is None or origin is None:
        return nothing(prediction)
    ours = said(prediction, "trajectory")
    if absolute:
        ours = ours - true(query, "trajectory")[:, :1].float()
    return _departure(ours, origin, true(query, "axis").float(), rotates(query), plane_term, through_origin)


def energy_along_axis(prediction: PartPrediction, query: PartQuery, *, absolute: bool = False) -> Tensor:
    """(1-p) (1-R) + p R of what the network says: R: the share of its trajectory's energy along its axis; p: of a
    rotation. A mean over trajectories that move: a scalar.
    """
    axis, p = unit(said(prediction, "axis")), rotation_probability(prediction)
    way = said(prediction, "trajectory")
    way = relative(way) if absolute else way
    energy = way.square().sum((-2, -1))
    share = dot(way, axis.unsqueeze(1)).square().sum(dim=-1) / energy.clamp(min=LEAST_ENERGY)
    return mean_where((1 - p) * (1 - share) + p * share, energy > LEAST_ENERGY)


def line_or_circle(
    prediction: PartPrediction,
    query: PartQuery,
    *,
    normalised: bool = False,
    least_radius: float = 0.10,
    absolute: bool = False,
) -> Tensor:
    """(1-p) * line + p * circle of what the network says of trajectory, axis, origin and p, a rotation: a scalar.

    line: mean |d x n|^2; circle: mean of (distance to the axis - radius)^2 + (d n)^2; square metres. normalised: by the
    trajectory's mean energy, and by the radius squared, at least `least_radius` metres. Networks with an axis per kind:
    each its own.
    """
    p, way = rotation_probability(prediction), said(prediction, "trajectory")
    start = way[:, 0] if absolute else said(prediction, "point_3d")
    way = relative(way) if absolute else way
    along, about = _both_axes(prediction)
    centre = (said(prediction, "origin") - start).unsqueeze(1)
    line = across(way, along).square().sum(dim=-1).mean(dim=-1)
    radius = across(-centre, about).norm(dim=-1)
    departure = across(way - centre, about).norm(dim=-1) - radius
    circle = (departure.square() + dot(way, about).square()).mean(dim=-1)
    energy = way.square().sum((-2, -1))
    if normalised:
        line = line / (energy / way.shape[1]).clamp(min=1e-8)
        circle = circle / radius.squeeze(1).clamp(min=least_radius).square()
    return mean_where((1 - p) * line + p * circle, energy > LEAST_ENERGY)


def _true_way(query: PartQuery) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """The true trajectory [B, T, 3] and origin [B, 3], both relative to the trajectory's first point."""
    truth = truth_of(query)
    if truth.trajectory is None or truth.origin is None:
        return None, None
    points = truth.trajectory.float()
    return relative(points), truth.origin.float() - points[:, 0]


def _departure(
    way: Tensor, origin: Tensor, axis: Tensor, turns: Tensor, plane_term: bool, through_origin: bool
) -> Tensor:
    """Mean over points [B, T, 3] of their squared departure from the line, or the arc where it turns: [B]."""
    direction, origin = unit(axis).unsqueeze(1), origin.unsqueeze(1)
    offset = way - origin
    line = cross(offset if through_origin else way, direction).square().sum(dim=-1).mean(dim=-1)
    radius = across(-origin, direction).norm(dim=-1)
    arc = (across(offset, direction).norm(dim=-1) - radius).square().mean(dim=-1)
    if plane_term:
        arc = arc + dot(offset, direction).square().mean(dim=-1)
    return line.where(~turns, arc)


def _both_axes(prediction: PartPrediction) -> tuple[Tensor, Tensor]:
    """Unit axes [B, 1, 3] for lines and for arcs."""
    if prediction.axis_by_kind is None:
        axis = unit(said(prediction, "axis")).unsqueeze(1)
        return axis, axis
    axes = unit(said(prediction, "axis_by_kind"))
    return axes[:, TRANSLATION, None], axes[:, ROTATION, None]
