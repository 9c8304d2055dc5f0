"""Terms on depth maps and pointmaps with a confidence (VGGT, PAGE-4D; the confidence is that of DUSt3R).

`of` says which maps a term compares: `depth` or `points`. Errors are lengths in the truth's scale; what is not finite
counts as 0, and more than 100 as 100. Fewer than 100 valid pixels in a batch are too few: the term is then 0.
Unreduced values [K], to be averaged, of valid pixels only. Truth: motion4d.losses.geometry_truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from motion4d.losses.geometry_truth import GeometryPrediction, GeometryTruth, nothing
from motion4d.losses.quantile import without_largest

LEAST_PIXELS = 100
LARGEST = 100.0
LEAST_CONFIDENCE = 1e-6


@dataclass
class Maps:
    """predicted, true [B, N, H, W, C]; confidence [B, N, H, W] (None: not predicted); valid [B, N, H, W] bool."""

    predicted: Tensor
    true: Tensor
    confidence: Tensor | None
    valid: Tensor

    @property
    def is_enough(self) -> bool:
        """Whether there are valid pixels to learn from."""
        return int(self.valid.sum()) >= LEAST_PIXELS

    def sure(self) -> Tensor:
        """The confidence, not below 1e-6."""
        if self.confidence is None:
            raise ValueError('a confidence term needs a prediction with confidences: train with the head "confidence"')
        return self.confidence.float().clamp(min=LEAST_CONFIDENCE)

    def nothing(self) -> Tensor:
        """0, with a gradient for what was predicted."""
        return nothing([self.predicted, self.confidence])


Part = Callable[[GeometryPrediction, GeometryTruth], Maps]


def depth(prediction: GeometryPrediction, truth: GeometryTruth) -> Maps:
    """The depth maps, C = 1."""
    if prediction.depth is None:
        raise ValueError('a depth term needs a prediction with depth: train with the head "depth"')
    true = fixed(truth.depth).unsqueeze(-1)
    return Maps(prediction.depth.float().unsqueeze(-1), true, prediction.depth_confidence, truth.valid)


def points(prediction: GeometryPrediction, truth: GeometryTruth) -> Maps:
    """The pointmaps in the first camera's frame, C = 3."""
    if prediction.points_world is None:
        raise ValueError('a point term needs a prediction with points: train with the head "points"')
    true = fixed(truth.points_world)
    return Maps(prediction.points_world.float(), true, prediction.points_confidence, truth.valid)


def regression(
    prediction: GeometryPrediction, truth: GeometryTruth, *, of: Part, valid_range: float | None = None
) -> Tensor:
    """|p - t| per valid pixel; valid_range: see motion4d.losses.quantile."""
    maps = of(prediction, truth)
    return without_largest(_errors(maps), valid_range) if maps.is_enough else maps.nothing()


def confidence(
    prediction: GeometryPrediction,
    truth: GeometryTruth,
    *,
    of: Part,
    gamma: float = 1.0,
    alpha: float = 0.2,
    valid_range: float | None = None,
) -> Tensor:
    """gamma |p - t| c - alpha log c per valid pixel, c the confidence."""
    maps = of(prediction, truth)
    if not maps.is_enough:
        return maps.nothing()
    sure = maps.sure()[maps.valid]
    return without_largest(fixed(gamma * _errors(maps) * sure - alpha * sure.log()), valid_range)


def log_regression(prediction: GeometryPrediction, truth: GeometryTruth, *, valid_range: float | None = None) -> Tensor:
    """|log p - log t| of the depth per valid pixel: the relative error, near and far alike. Not published."""
    maps = depth(prediction, truth)
    if not maps.is_enough:
        return maps.nothing()
    predicted, true = (value[maps.valid].squeeze(-1).clamp(min=1e-6).log() for value in (maps.predicted, maps.true))
    return without_largest((predicted - true).abs(), valid_range)


def fixed(values: Tensor) -> Tensor:
    """What is not finite becomes 0; the rest is held within +-100."""
    return values.nan_to_num(0.0, 0.0, 0.0).clamp(-LARGEST, LARGEST)


def _errors(maps: Maps) -> Tensor:
    difference = maps.true[maps.valid] - maps.predicted[maps.valid]
    # one number: its absolute value, whose gradient at 0 is finite
    return fixed(difference.abs().squeeze(-1) if difference.shape[-1] == 1 else difference.norm(dim=-1))
