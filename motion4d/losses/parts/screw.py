"""Terms that ask whether a twist moves points the way a trajectory goes.

A step d from one point to the next should follow the twist's velocity f at the middle between them: 1 - cos^2 of their
angle (signed: 1 - cos), of steps longer than a millimetre where |f| > 1e-4. Means over the steps of each trajectory,
then over trajectories that have any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from motion4d.geometry.lines import dot
from motion4d.geometry.twists import orbit, velocity
from motion4d.losses.parts.lifted import lifted_point
from motion4d.losses.parts.reading import camera, mean_where, nothing, relative, row_means, said, track, truth_of
from motion4d.losses.parts.seen_curves import seen_distance
from motion4d.losses.parts.twist import TwistHypotheses
from motion4d.part import PartPrediction, PartQuery

SHORTEST = 1e-3  # metres, of a step
SLOWEST = 1e-4
SAMPLES = 64  # of an orbit


@dataclass(frozen=True)
class TrueTrajectory:
    """The twist against the true trajectory: a scalar. With several hypotheses each counts as much as in `hypotheses`;
    without that, the network's choice counts. Skipped without trajectories.
    """

    signed: bool = False
    hypotheses: TwistHypotheses | None = None

    def at(self, share: float) -> TrueTrajectory:
        """The same term when this share of a training is done."""
        return self if self.hypotheses is None else replace(self, hypotheses=self.hypotheses.at(share))

    def __call__(self, prediction: PartPrediction, query: PartQuery) -> Tensor:
        """The scalar."""
        truth = truth_of(query).trajectory
        if truth is None:
            return nothing(prediction)
        if self.hypotheses is None or prediction.twist_hypotheses is None:
            return mean_where(*_residual(said(prediction, "twist"), truth.float(), self.signed))
        shares = self.hypotheses.parts(prediction, query).shares
        twists = said(prediction, "twist_hypotheses")
        residual, known = _residual(twists, truth.float().unsqueeze(1), self.signed)
        return mean_where((shares * residual).sum(dim=1), known.any(dim=1))


def own_trajectory(
    prediction: PartPrediction, query: PartQuery, *, signed: bool = False, absolute: bool = False
) -> Tensor:
    """The twist against the network's own trajectory, which starts at its point at the measured depth: a scalar."""
    way = said(prediction, "trajectory")
    start, measured = lifted_point(prediction, query)
    way = relative(way) if absolute else way
    residual, known = _residual(said(prediction, "twist"), start.unsqueeze(1) + way, signed)
    return mean_where(residual, known & measured)


def seen_track(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Distance of the true track to the orbit of the network's point under its twist, as seen: a scalar.

    In units of the image; over the track's visible points, then over queries with a measured depth. Skipped without
    tracks.
    """
    known = track(query)
    if known is None:
        return nothing(prediction)
    points, seen = known
    start, measured = lifted_point(prediction, query)
    twist = said(prediction, "twist")
    turn = torch.linspace(-math.pi, math.pi, SAMPLES, device=twist.device)
    times = turn / twist[:, :3].norm(dim=-1, keepdim=True).clamp(min=1)
    distance = seen_distance(points, orbit(twist, start, times), camera(query))
    return mean_where(row_means(distance, seen), seen.any(dim=1) & measured)


def turn_rate(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """|w| of the twist: [B]. Its weight is what keeps twists from turning without need."""
    return said(prediction, "twist")[:, :3].norm(dim=-1)


def _residual(twist: Tensor, points: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """Of twists [..., 6] and points [..., T, 3]: means over steps [...], and which have any."""
    step = points.diff(dim=-2)
    flow = velocity(twist.unsqueeze(-2), (points[..., 1:, :] + points[..., :-1, :]) / 2)
    lengths = step.norm(dim=-1), flow.norm(dim=-1)
    counts = (lengths[0] > SHORTEST) & (lengths[1] > SLOWEST)
    cosine = dot(step, flow) / torch.where(counts, lengths[0] * lengths[1], 1.0)
    return row_means(1 - cosine if signed else 1 - cosine.square(), counts), counts.any(dim=-1)
