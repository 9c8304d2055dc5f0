"""In which space predicted and true pointmaps are compared: a pair says nothing about the scale of a scene.

Points [P, 2, H, W, 3] of P pairs, valid [P, 2, H, W] bool (motion4d.losses.pair_truth).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.losses.point_scale import Fit, Norm, by_mean, median, weiszfeld_fit

SMALLEST_SPREAD, LARGEST_SPREAD = 1e-3, 1e3  # of a prediction

Compared = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]  # predicted, true, valid -> predicted, true


@dataclass(frozen=True)
class Space:
    """DUSt3R's Regr3D and its invariant variants (Regr3D_ShiftInv, Regr3D_ScaleInv, Regr3D_ScaleShiftInv).

    norm: brings each side to size one, None: as they are. Then, without gradients through shift and scale:
    shift_invariant: the median z of each side is taken off; scale_invariant: each side is divided by its spread, the
    median distance from its median point. true_scale: the truth keeps its scale, and a prediction of another spread is
    given that of the truth.
    """

    norm: Norm | None = by_mean
    shift_invariant: bool = False
    scale_invariant: bool = False
    true_scale: bool = False

    def __call__(self, predicted: Tensor, true: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(predicted, true) as they are compared."""
        if self.norm is not None:
            predicted = self.norm(predicted, valid)
            true = true if self.true_scale else self.norm(true, valid)
        if self.shift_invariant:
            predicted, true = (_centred(points, valid) for points in (predicted, true))
        if self.scale_invariant:
            spread = _spread(predicted, valid).clamp(SMALLEST_SPREAD, LARGEST_SPREAD)
            wanted = _spread(true, valid)
            if self.true_scale:
                predicted = predicted * (wanted / spread)
            else:
                predicted, true = predicted / spread, true / wanted
        return predicted, true


@dataclass(frozen=True)
class FittedScale:
    """The truth at the scale that fits the prediction best, a constant for gradients."""

    fit: Fit = weiszfeld_fit

    def __call__(self, predicted: Tensor, true: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(predicted, true) as they are compared."""
        return predicted, true * _per_pair(self.fit(predicted, true, valid))


def _centred(points: Tensor, valid: Tensor) -> Tensor:
    z = _per_pair(median(points[..., 2].detach(), valid))
    return points - z * points.new_tensor([0.0, 0.0, 1.0])


def _spread(points: Tensor, valid: Tensor) -> Tensor:
    """[P, 1, 1, 1, 1]: the median distance from the median point; 1 where nothing is valid."""
    points = points.detach()
    middle = torch.stack([median(part, valid) for part in points.unbind(dim=-1)], dim=-1)
    distance = (points - middle[:, None, None, None]).norm(dim=-1)
    spread = median(distance, valid)
    return _per_pair(torch.where(spread > 0, spread, 1))


def _per_pair(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]
