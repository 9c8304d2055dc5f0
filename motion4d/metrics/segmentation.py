"""Scores of masks: region similarity J, boundary accuracy F and pixel counts of a frame, statistics of a sequence.

Definitions of the DAVIS benchmark (Perazzi et al., CVPR 2016), reproduced bit for bit. Masks are [H, W]; any non-zero
value is foreground; `void` marks pixels that do not count. All results are float64. Everything is counted on packed
bits (motion4d/metrics/bits.py); motion4d/metrics/boundary_plain.py is the same arithmetic the long way.

Quirk kept: the image border is no boundary, so a full-frame prediction of an empty truth scores J = 0 but F = 1.
Quirk mended: the published tools keep the bin edges of the decay in 8 bits, so sequences of 256 and more frames get
wrong bins; shorter ones give identical numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from motion4d.metrics.bits import BitLabels, BitMask, bit_grid, count

BOUNDARY_TOLERANCE = 0.008  # of the image diagonal, rounded up to whole pixels
RECALL_THRESHOLD = 0.5


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of one frame (or the sum of several frames) by outcome; void pixels are in none of them."""

    hits: int
    false_alarms: int
    misses: int

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(self.hits + other.hits, self.false_alarms + other.false_alarms, self.misses + other.misses)

    @property
    def iou(self) -> float:
        """Intersection over union; 1 if both masks are empty."""
        return _share(self.hits, self.hits + self.false_alarms + self.misses)

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that are right; 1 if nothing was predicted."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Share of the true pixels that were found; 1 if there are none."""
        return _share(self.hits, self.hits + self.misses)


@dataclass(frozen=True)
class BoundaryMatch:
    """How many pixels each boundary has, and how many of them lie within `radius` pixels of the other one."""

    radius: float
    truth_pixels: int
    prediction_pixels: int
    truth_matched: int
    prediction_matched: int

    @property
    def precision(self) -> float:
        """Matched share of the predicted boundary; 1 if there is none, 0 if only the true one is missing."""
        if self.prediction_pixels == 0:
            return 1.0
        return self.prediction_matched / self.prediction_pixels

    @property
    def recall(self) -> float:
        """Matched share of the true boundary; 1 if there is none."""
        if self.truth_pixels == 0:
            return 1.0
        return self.truth_matched / self.truth_pixels

    @property
    def f(self) -> float:
        """2 P R / (P + R); 0 if both are 0."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


class Statistics(NamedTuple):
    """mean of the scores; recall: share of frames above 0.5; decay: mean of the first quarter minus the last."""

    mean: float
    recall: float
    decay: float


def pixel_counts(truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None = None) -> PixelCounts:
    """Hits, false alarms and misses of masks [..., H, W]."""
    _check_shapes(truth, prediction, void)
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    if void is not None:
        truth, prediction = truth & ~void.astype(bool), prediction & ~void.astype(bool)
    hits = int(np.count_nonzero(truth & prediction))
    return PixelCounts(hits, int(np.count_nonzero(prediction)) - hits, int(np.count_nonzero(truth)) - hits)


def count_pixels(truth: BitMask, prediction: BitMask) -> PixelCounts:
    """`pixel_counts` of packed masks."""
    hits = count(truth.region & prediction.region)
    return PixelCounts(hits, prediction.area - hits, truth.area - hits)


def frame_j(truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None = None) -> float:
    """Region similarity J of masks [H, W]: intersection over union, 1 if the union is empty."""
    return pixel_counts(truth, prediction, void).iou


def frame_f(
    truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None = None, *, tolerance: float = BOUNDARY_TOLERANCE
) -> float:
    """Boundary accuracy F of masks [H, W]; see `match_boundaries`."""
    return match_boundaries(truth, prediction, void, tolerance=tolerance).f


def match_boundaries(
    truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None = None, *, tolerance: float = BOUNDARY_TOLERANCE
) -> BoundaryMatch:
    """Match the boundaries of masks [H, W] within a radius.

    tolerance: below 1 a share of the image diagonal, rounded up; from 1 on a radius in pixels.
    Void pixels become background before boundaries are taken, so the edge of the void is boundary of both masks.
    """
    _check_shapes(truth, prediction, void)
    grid = bit_grid(*truth.shape, boundary_radius(truth.shape, tolerance))
    masks = [BitLabels(grid, labels, void).foreground() for labels in (truth, prediction)]
    return match_edges(masks[0], masks[1])


def match_edges(truth: BitMask, prediction: BitMask) -> BoundaryMatch:
    """`match_boundaries` of packed masks, within the radius of their grid."""
    return BoundaryMatch(
        radius=truth.grid.radius,
        truth_pixels=truth.edge_pixels,
        prediction_pixels=prediction.edge_pixels,
        truth_matched=count(truth.edge & prediction.near),
        prediction_matched=count(prediction.edge & truth.near),
    )


def boundary_radius(shape: Sequence[int], tolerance: float = BOUNDARY_TOLERANCE) -> float:
    """Pixels within which boundaries of a frame of `shape` (H, W) match; see `match_boundaries`."""
    return tolerance if tolerance >= 1 else math.ceil(tolerance * math.sqrt(shape[0] ** 2 + shape[1] ** 2))


def sequence_statistics(scores: Sequence[float] | np.ndarray) -> Statistics:
    """Mean, recall and decay of per-frame scores [T]; NaN frames are left out of means but count in the recall."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"a sequence needs a list of at least one score, but the scores have the shape {values.shape}")
    edges = bin_edges(values.size)
    first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
    return Statistics(
        mean=nan_mean(values),
        recall=float(np.mean(values > RECALL_THRESHOLD)),
        decay=nan_mean(first) - nan_mean(last),
    )


def bin_edges(count: int) -> list[int]:
    """Five frame indices that cut `count` frames into four bins; a bin holds both its edges."""
    return [int(edge) - 1 for edge in np.round(np.linspace(1, count, 5) + 1e-10)]


def nan_mean(values: Sequence[float] | np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    values = np.asarray(values, dtype=np.float64)
    return math.nan if np.isnan(values).all() else float(np.nanmean(values))


def _check_shapes(truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None) -> None:
    for name, mask in (("prediction", prediction), ("void", void)):
        if mask is not None and mask.shape != truth.shape:
            raise ValueError(f"the {name} mask is {mask.shape}, but the truth is {truth.shape}; sizes must agree")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
