"""Sizes of pointmap pairs: what a pair is divided by to have size one, and which scale makes one pair fit another.

Points [P, 2, H, W, 3] of P pairs, valid [P, 2, H, W] bool: both images of a pair count together, valid pixels alone.
The sizes are DUSt3R's `norm_mode`, the scales its `find_opt_scaling` (Wang et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SMALLEST = 1e-8
SMALLEST_FIT = 1e-3
ROUNDS = 10

Norm = Callable[[Tensor, Tensor], Tensor]  # points, valid -> points of size one
Fit = Callable[[Tensor, Tensor, Tensor], Tensor]  # predicted, true, valid -> scale [P]


def by_mean(points: Tensor, valid: Tensor) -> Tensor:
    """Divided by the mean distance from the origin (avg_dis)."""
    return _divided(points, _mean(points.norm(dim=-1), valid))


def by_mean_log(points: Tensor, valid: Tensor) -> Tensor:
    """Divided by the mean of log(1 + distance) (avg_log1p)."""
    return _divided(points, _mean(points.norm(dim=-1).log1p(), valid))


def by_warped_mean(points: Tensor, valid: Tensor) -> Tensor:
    """Distances become log(1 + distance), then as `by_mean` (avg_warp-log1p): far points come nearer."""
    distance = points.norm(dim=-1)
    warped = distance.log1p()
    points = points * (warped / distance.clamp(min=SMALLEST)).unsqueeze(-1)
    return _divided(points, _mean(warped, valid))


def by_median(points: Tensor, valid: Tensor) -> Tensor:
    """Divided by the median distance, which is a constant for gradients (median_dis)."""
    return _divided(points, median(points.norm(dim=-1).detach(), valid))


def by_root_mean(points: Tensor, valid: Tensor) -> Tensor:
    """Divided by the square of the mean root of distances (sqrt_dis)."""
    return _divided(points, _mean(points.norm(dim=-1).clamp(min=SMALLEST).sqrt(), valid).square())


def mean_fit(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """The s [P] of least |predicted - s true|^2, at least 1e-3, a constant for gradients (avg)."""
    return _weighted_fit(predicted, true, valid, torch.ones_like(predicted[..., 0])).clamp(min=SMALLEST_FIT)


def median_fit(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """The same as the median of every pixel's own (median)."""
    own = _products(predicted, true) / _products(true, true)
    return median(own, valid).clamp(min=SMALLEST_FIT)


def weiszfeld_fit(predicted: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """The same of least |predicted - s true|, by 10 rounds of Weiszfeld's reweighting (weiszfeld)."""
    scale = mean_fit(predicted, true, valid)
    for _ in range(ROUNDS):
        distance = (predicted.detach() - _per_pair(scale, true) * true).norm(dim=-1)
        scale = _weighted_fit(predicted, true, valid, 1 / distance.clamp(min=SMALLEST))
    return scale.clamp(min=SMALLEST_FIT)


def median(values: Tensor, valid: Tensor) -> Tensor:
    """The lower median [P] of values [P, 2, H, W] where they are valid; 0 where nothing is."""
    known = torch.where(valid, values, torch.nan).flatten(1)
    return known.nanmedian(dim=1).values.nan_to_num()


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    total = torch.where(valid, values, 0).sum((1, 2, 3))
    return total / (valid.sum((1, 2, 3)) + 1e-8)


def _weighted_fit(predicted: Tensor, true: Tensor, valid: Tensor, weight: Tensor) -> Tensor:
    above, below = (_mean(weight * _products(points, true), valid) for points in (predicted, true))
    return above / below.clamp(min=SMALLEST)


def _products(one: Tensor, other: Tensor) -> Tensor:
    return (one.detach() * other).sum(dim=-1)


def _divided(points: Tensor, size: Tensor) -> Tensor:
    return points / _per_pair(size.clamp(min=SMALLEST), points)


def _per_pair(values: Tensor, points: Tensor) -> Tensor:
    """[P] -> [P, 1, 1, 1, 1]."""
    return values.reshape(-1, *([1] * (points.ndim - 1)))
