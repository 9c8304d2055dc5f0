"""Doors that turn and drawers that slide, exactly, as a camera sees them; and a network that says so."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from motion4d.geometry.lines import perpendicular_foot, unit
from motion4d.geometry.projection import project
from motion4d.geometry.twists import orbit, twist_about
from motion4d.losses.parts.masks import gaussian_map
from motion4d.part import PartMotion, PartPrediction, PartQuery, PartSource

HEIGHT, WIDTH, STEPS = 48, 64, 20
KINDS = torch.tensor([0, 1, 0, 1])


def moving_parts(**changes: Any) -> PartQuery:
    """Two drawers, two doors. The image is 48 x 64, the depth that of the touched point everywhere."""
    axis = unit(torch.tensor([[0.2, 0.1, -1.0], [0.1, 1.0, 0.1], [0.9, 0.2, -0.3], [1.0, 0.1, 0.2]]))
    start = torch.tensor([[0.1, 0.1, 1.5], [0.2, -0.1, 1.4], [-0.2, 0.0, 1.6], [0.1, 0.2, 1.3]])
    origin = start + torch.tensor([[0.1, 0.1, 0.1], [-0.3, 0.2, 0.1], [0.1, 0.0, 0.2], [0.1, -0.3, 0.1]])
    twist = twist_about(axis, KINDS == 1, origin)
    time = torch.linspace(0, 1, STEPS) * torch.tensor([0.3, math.pi / 4, 0.2, 0.6]).unsqueeze(1)
    trajectory = orbit(twist, start, time)
    intrinsics = torch.tensor([[60.0, 0, 32], [0, 62, 24], [0, 0, 1]]).expand(4, 3, 3)
    track = project(trajectory, intrinsics)
    truth = PartMotion(
        mask=torch.rand(4, HEIGHT, WIDTH) > 0.5,
        point=track[:, 0] / torch.tensor([WIDTH, HEIGHT]),
        axis=axis,
        kind=KINDS,
        origin=origin,
        trajectory=trajectory,
        track=track,
        track_valid=torch.ones(4, STEPS, dtype=torch.bool),
    )
    for name, value in changes.items():
        setattr(truth, name, value)
    return PartQuery(
        images=torch.zeros(4, 3, HEIGHT, WIDTH),
        texts=("open it",) * 4,
        depth=start[:, 2].view(4, 1, 1).expand(4, HEIGHT, WIDTH).clone(),
        intrinsics=intrinsics,
        truth=truth,
        sources=tuple(PartSource(image=f"image{k}") for k in range(4)),
    )


def knowing(query: PartQuery) -> PartPrediction:
    """The prediction that is the truth, as sure as it can be; logits of masks and heatmaps have the best values."""
    truth = query.truth
    nearest = perpendicular_foot(truth.trajectory[:, 0], truth.origin, truth.axis)
    relative = truth.trajectory - truth.trajectory[:, :1]
    size = torch.tensor([WIDTH, HEIGHT])
    track = truth.track / size
    twist = twist_about(truth.axis, truth.kind == 1, truth.origin)
    sure = torch.nn.functional.one_hot(truth.kind, 2) * 60.0 - 30.0
    q_star = project(nearest, query.intrinsics) / size
    other = torch.randn(4, 3)
    axes = torch.stack([torch.where(truth.kind[:, None] == kind, truth.axis, other) for kind in (0, 1)], dim=1)
    return PartPrediction(
        mask_logits=truth.mask[:, 2::4, 2::4] * 60.0 - 30.0,
        point_logits=gaussian_map(truth.point, (12, 16), sigma=8.0).clamp(1e-6, 1 - 1e-6).logit(),
        point=truth.point.clone(),
        axis=3 * truth.axis,
        axis_by_kind=axes,
        kind_logits=sure,
        latent_mean=torch.zeros(4, 5),
        latent_log_variance=torch.zeros(4, 5),
        trajectory=relative.clone(),
        trajectory_2d=track - track[:, :1],
        point_3d=truth.trajectory[:, 0].clone(),
        origin=nearest.clone(),
        origin_logits=gaussian_map(q_star, (12, 16), sigma=8.0).clamp(1e-6, 1 - 1e-6).logit(),
        origin_point=q_star,
        origin_depth=_depth_on_axis(query),
        twist=twist,
        twist_hypotheses=torch.stack((torch.randn(4, 6), twist, torch.randn(4, 6)), dim=1),
        trajectory_hypotheses=torch.stack((torch.randn(4, STEPS, 3), relative, torch.randn(4, STEPS, 3)), dim=1),
        hypothesis_logits=torch.tensor([[-30.0, 30.0, -30.0]]).repeat(4, 1),
    )


def _depth_on_axis(query: PartQuery) -> Tensor:
    """Where the touched point's ray is nearest to the axis: the origin that is seen at the point itself."""
    return query.truth.trajectory[:, 0, 2].clone()


def noisy(prediction: PartPrediction, scale: float = 0.3) -> PartPrediction:
    """The same with noise on everything, as leaves that collect gradients."""
    return prediction._map(lambda values: (values + scale * torch.randn_like(values)).requires_grad_())
