"""Scores of masks: region similarity J, boundary accuracy F and pixel counts of a frame, statistics of a sequence.

Definitions of the DAVIS benchmark (Perazzi et al., CVPR 2016), reproduced bit for bit. Masks are [H, W]; any non-zero
value is foreground; `void` marks pixels that do not count. All results are float64.

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
from scipy.spatial import cKDTree

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
    truth, prediction = _without_void(truth, prediction, void)
    hits = int(np.count_nonzero(truth & prediction))
    return PixelCounts(hits, int(np.count_nonzero(prediction)) - hits, int(np.count_nonzero(truth)) - hits)


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
    truth, prediction = _without_void(truth, prediction, void)
    radius = (
        tolerance if tolerance >= 1 else math.ceil(tolerance * math.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
    )
    window = _window(truth | prediction)
    true_edge, edge = boundary(truth[window]), boundary(prediction[window])
    return BoundaryMatch(
        radius=radius,
        truth_pixels=int(np.count_nonzero(true_edge)),
        prediction_pixels=int(np.count_nonzero(edge)),
        truth_matched=_matched(true_edge, edge, radius),
        prediction_matched=_matched(edge, true_edge, radius),
    )


def boundary(mask: np.ndarray) -> np.ndarray:
    """[H, W] bool: pixels that differ from their right, lower or lower right neighbour (one pixel wide)."""
    edge = np.zeros(mask.shape, dtype=bool)
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] != mask[1:, 1:]
    return edge


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


def _without_void(truth: np.ndarray, prediction: np.ndarray, void: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Both masks as booleans, background where `void` is."""
    for name, mask in (("prediction", prediction), ("void", void)):
        if mask is not None and mask.shape != truth.shape:
            raise ValueError(f"the {name} mask is {mask.shape}, but the truth is {truth.shape}; sizes must agree")
    truth, prediction = truth.astype(bool), prediction.astype(bool)
    if void is None:
        return truth, prediction
    counts = ~void.astype(bool)
    return truth & counts, prediction & counts


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """The bounding box of `mask` and one pixel around it: outside there is no boundary."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return slice(0, 1), slice(0, 1)
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)


def _matched(edge: np.ndarray, other: np.ndarray, radius: float) -> int:
    """How many pixels of `edge` have a pixel of `other` within `radius`."""
    shared, alone = int(np.count_nonzero(edge & other)), np.argwhere(edge & ~other)
    if alone.size == 0 or not other.any():
        return shared
    tree = cKDTree(np.argwhere(other), balanced_tree=False, compact_nodes=False)
    distance, _ = tree.query(alone, distance_upper_bound=radius + 0.5)
    return shared + int(np.count_nonzero(distance <= radius))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
