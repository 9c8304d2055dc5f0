"""Terms on the track of the touched point in the image: of a head for it, and of the projected trajectory.

In units of the image. All are skipped where data have no tracks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.unit_images import NEAR, project_in_front
from motion4d.losses.parts.lifted import lifted_point
from motion4d.losses.parts.reading import camera, mean_where, nothing, relative, row_means, said, track
from motion4d.losses.parts.trajectory import Steps, step_angle, step_difference, step_length
from motion4d.part import PartPrediction, PartQuery


def track_2d(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Mean squared difference of the head's track and the true one less its first point, per coordinate: a scalar.

    Over seen points of tracks whose first point is seen.
    """
    known = track(query)
    if known is None:
        return nothing(prediction)
    points, seen = known
    error = (said(prediction, "trajectory_2d") - relative(points)).square().mean(dim=-1)
    return mean_where(error, seen & seen[:, :1])


def projection(
    prediction: PartPrediction,
    query: PartQuery,
    *,
    normalised: bool = False,
    floor: float = 1e-4,
    detach: bool = False,
    absolute: bool = False,
) -> Tensor:
    """Mean squared distance of the projected trajectory to the true track: a scalar.

    The trajectory starts at the network's point at the measured depth (detach: which gets no gradient). normalised: a
    mean over tracks, each relative to its own mean squared distance from its first seen point, at least `floor`.
    """
    known, found = track(query), _seen(prediction, query, detach, absolute)
    if known is None or found is None:
        return nothing(prediction)
    ours, points, counts = found
    error = (ours - points).square().sum(dim=-1)
    if not normalised:
        return mean_where(error, counts)
    first = known[1].to(torch.uint8).argmax(dim=1)
    start = points[torch.arange(len(points), device=points.device), first].unsqueeze(1)
    energy = row_means((points - start).square().sum(dim=-1), counts)
    return mean_where(row_means(error, counts) / energy.clamp(min=floor), counts.any(dim=1))


def projected_velocity(
    prediction: PartPrediction, query: PartQuery, *, detach: bool = False, absolute: bool = False
) -> Tensor:
    """Mean length of the difference of seen steps: a scalar."""
    steps = _steps(prediction, query, detach, absolute)
    return nothing(prediction) if steps is None else step_difference(steps)


def projected_angle(
    prediction: PartPrediction,
    query: PartQuery,
    *,
    detach: bool = False,
    absolute: bool = False,
    shortest: float = 1e-3,
) -> Tensor:
    """Mean of 1 - cos of the angle between seen steps, over true ones longer than `shortest`: a scalar."""
    steps = _steps(prediction, query, detach, absolute)
    return nothing(prediction) if steps is None else step_angle(steps, shortest=shortest)


def projected_length(
    prediction: PartPrediction, query: PartQuery, *, detach: bool = False, absolute: bool = False
) -> Tensor:
    """Mean absolute difference of the seen steps' lengths: a scalar."""
    steps = _steps(prediction, query, detach, absolute)
    return nothing(prediction) if steps is None else step_length(steps)


def _steps(prediction: PartPrediction, query: PartQuery, detach: bool, absolute: bool) -> Steps | None:
    found = _seen(prediction, query, detach, absolute)
    if found is None:
        return None
    ours, points, counts = found
    return Steps(ours.diff(dim=1), points.diff(dim=1), counts[:, 1:] & counts[:, :-1])


def _seen(
    prediction: PartPrediction, query: PartQuery, detach: bool, absolute: bool
) -> tuple[Tensor, Tensor, Tensor] | None:
    """The projected trajectory and the true track [B, T, 2], and which of their points count [B, T]."""
    known = track(query)
    if known is None:
        return None
    points, seen = known
    way = said(prediction, "trajectory")
    start, measured = lifted_point(prediction, query, detach=detach)
    way = start.unsqueeze(1) + (relative(way) if absolute else way)
    counts = seen & (way[..., 2] > NEAR) & measured.unsqueeze(1)
    return project_in_front(way, camera(query)), points, counts
