"""Depth metrics over the pixels that have truth, in float64. No torch.

A pixel counts where the truth is finite, positive and below a limit. p predicted, g true depth there:
AbsRel mean |p - g| / g; SqRel mean (p - g)^2 / g; RMSE; LogRMSE of ln p - ln g; delta_k: the share of pixels with
max(p / g, g / p) < 1.25^k. Logarithms and ratios take p as at least 1e-5. Where no pixel counts everything is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-5  # of a predicted depth, in logarithms and ratios
COLUMNS = ("AbsRel", "SqRel", "RMSE", "LogRMSE", "delta1", "delta2", "delta3")


@dataclass(frozen=True)
class DepthScores:
    """What the module's docstring says; valid_pixels: how many pixels that is about."""

    abs_rel: float = 0.0
    sq_rel: float = 0.0
    rmse: float = 0.0
    log_rmse: float = 0.0
    delta_1: float = 0.0
    delta_2: float = 0.0
    delta_3: float = 0.0
    valid_pixels: int = 0

    @property
    def row(self) -> dict[str, float]:
        """The values of COLUMNS."""
        deltas = (self.delta_1, self.delta_2, self.delta_3)
        return dict(zip(COLUMNS, (self.abs_rel, self.sq_rel, self.rmse, self.log_rmse, *deltas), strict=True))


def valid_pixels(truth: NDArray[np.floating], max_depth: float | None = None) -> NDArray[np.bool_]:
    """Where a true depth (any shape) says something: finite, above 0, below max_depth."""
    valid = np.isfinite(truth) & (truth > 0)
    return valid if max_depth is None else valid & (truth < max_depth)


def depth_scores(prediction: NDArray[np.float64], truth: NDArray[np.float64]) -> DepthScores:
    """Scores of aligned depths [P] against true ones [P], all of them positive and finite."""
    if not truth.size:
        return DepthScores()
    difference = np.abs(prediction - truth)
    relative = difference / truth
    log_ratio = np.abs(np.log(np.maximum(prediction, LEAST) / truth))
    delta_1, delta_2, delta_3 = (float(np.mean(log_ratio < k * np.log(1.25))) for k in (1, 2, 3))
    return DepthScores(
        float(relative.mean()),
        float(np.mean(relative * difference)),
        float(np.sqrt(np.mean(np.square(difference)))),
        float(np.sqrt(np.mean(np.square(log_ratio)))),
        delta_1,
        delta_2,
        delta_3,
        truth.size,
    )


def mean_depth_scores(scores: Sequence[DepthScores], *, weighted: bool = True) -> DepthScores:
    """The average of frames or sequences: weighted by their valid pixels, or plain over those that have any."""
    counted = [one for one in scores if one.valid_pixels]
    if not counted:
        return DepthScores()
    weights = [one.valid_pixels if weighted else 1 for one in counted]
    means = {
        item.name: float(np.average([getattr(one, item.name) for one in counted], weights=weights))
        for item in fields(DepthScores)
        if item.name != "valid_pixels"
    }
    return replace(counted[0], **means, valid_pixels=sum(one.valid_pixels for one in counted))
