"""Terms on the trajectory. The truth is absolute; a network's is relative to its own first point, unless made absolute.

All are skipped where data have no trajectories.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.losses.parts.reading import mean_where, nothing, relative, said, truth_of
from motion4d.part import PartPrediction, PartQuery


class Steps(NamedTuple):
    """Differences of neighbouring points [B, T-1, K]; valid [B, T-1] bool: both ends are known."""

    said: Tensor
    true: Tensor
    valid: Tensor


def trajectory(prediction: PartPrediction, query: PartQuery, *, absolute: bool = False) -> Tensor:
    """Squared difference of every coordinate: [B, T, 3]."""
    truth = _target(query, absolute)
    return nothing(prediction) if truth is None else (said(prediction, "trajectory") - truth).square()


def normalised(prediction: PartPrediction, query: PartQuery, *, absolute: bool = False, floor: float = 1e-4) -> Tensor:
    """mean |e|^2 / mean |true way|^2, both over the points, the latter at least `floor` (square metres): [B]."""
    truth = _target(query, absolute)
    if truth is None:
        return nothing(prediction)
    error = (said(prediction, "trajectory") - truth).square().sum(dim=-1).mean(dim=-1)
    energy = relative(truth).square().sum(dim=-1).mean(dim=-1)
    return error / energy.clamp(min=floor)


def velocity(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Mean length of the difference of steps, metres: a scalar."""
    steps = _steps(prediction, query)
    return nothing(prediction) if steps is None else step_difference(steps)


def angle(prediction: PartPrediction, query: PartQuery, *, shortest: float = 1e-3) -> Tensor:
    """Mean of 1 - cos of the angle between steps, over true steps longer than `shortest` metres: a scalar."""
    steps = _steps(prediction, query)
    return nothing(prediction) if steps is None else step_angle(steps, shortest=shortest)


def length(prediction: PartPrediction, query: PartQuery) -> Tensor:
    """Mean absolute difference of the steps' lengths, metres: a scalar."""
    steps = _steps(prediction, query)
    return nothing(prediction) if steps is None else step_length(steps)


def step_difference(steps: Steps) -> Tensor:
    """Mean |difference| over the valid steps."""
    return mean_where((steps.said - steps.true).norm(dim=-1), steps.valid)


def step_angle(steps: Steps, *, shortest: float) -> Tensor:
    """Mean of 1 - cos over the valid steps whose truth is longer than `shortest`."""
    cosine = F.cosine_similarity(steps.said, steps.true, dim=-1, eps=1e-6)
    return mean_where(1 - cosine, steps.valid & (steps.true.norm(dim=-1) > shortest))


def step_length(steps: Steps) -> Tensor:
    """Mean | |said| - |true| | over the valid steps."""
    return mean_where((steps.said.norm(dim=-1) - steps.true.norm(dim=-1)).abs(), steps.valid)


def _steps(prediction: PartPrediction, query: PartQuery) -> Steps | None:
    truth = truth_of(query).trajectory
    if truth is None:
        return None
    differences = said(prediction, "trajectory").diff(dim=1), truth.float().diff(dim=1)
    return Steps(*differences, torch.ones_like(differences[1][..., 0], dtype=torch.bool))


def _target(query: PartQuery, absolute: bool) -> Tensor | None:
    truth = truth_of(query).trajectory
    if truth is None:
        return None
    return truth.float() if absolute else relative(truth.float())
