"""Precision, recall and F of labelled points against regions: the measure of FBMS-59 (Ochs et al., TPAMI 2014).

Regions and clusters of points are matched one to one; every pixel weighs as much as its annotation is sure of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

VISIBLE = 1e-4  # a region with less weight in the labelled frames is not there


@dataclass
class Overlap:
    """Weights summed over labelled frames: total [R] of a region's pixels, shared [R, C] of its points by cluster."""

    total: np.ndarray
    shared: np.ndarray

    @classmethod
    def empty(cls, regions: int, clusters: int) -> Overlap:
        """Nothing seen yet."""
        return cls(np.zeros(regions), np.zeros((regions, clusters)))

    def add_labels(self, regions: np.ndarray, weights: np.ndarray, labels: np.ndarray) -> None:
        """A frame [H, W] with a label at every pixel; pixels of a negative label have no point."""
        points = labels >= 0
        self._add(regions, weights, regions[points], weights[points], labels[points])

    def add_points(
        self, regions: np.ndarray, weights: np.ndarray, x: np.ndarray, y: np.ndarray, labels: np.ndarray
    ) -> None:
        """A frame [H, W] and points [P] in pixels, several per pixel allowed; points outside are left out."""
        column, row = (np.trunc(place.astype(np.float32) + np.float32(0.5)).astype(np.int64) for place in (x, y))
        inside = (row >= 0) & (row < regions.shape[0]) & (column >= 0) & (column < regions.shape[1])
        at = row[inside], column[inside]
        self._add(regions, weights, regions[at], weights[at], labels[inside])

    def _add(self, regions: np.ndarray, weights: np.ndarray, *points: np.ndarray) -> None:
        at, weight, labels = points
        clusters = self.shared.shape[1]
        self.total += np.bincount(regions.ravel(), weights.ravel(), minlength=self.total.size)
        pairs = at * clusters + labels.astype(np.int64)
        self.shared += np.bincount(pairs, weight, minlength=self.shared.size).reshape(self.shared.shape)


@dataclass(frozen=True)
class Match:
    """A region's cluster (None: there were fewer clusters than regions, so it has none), and how well they agree."""

    region: int
    cluster: int | None
    precision: float
    recall: float

    @property
    def f(self) -> float:
        """2 P R / (P + R)."""
        return f_measure(self.precision, self.recall)


@dataclass(frozen=True)
class TrajectoryScores:
    """density: share of the visible regions that points cover, in percent; matches: one per visible region."""

    density: float
    matches: tuple[Match, ...]

    @property
    def precision(self) -> float:
        """Mean over the visible regions, background included."""
        return float(np.mean([match.precision for match in self.matches]))

    @property
    def recall(self) -> float:
        """Mean over the visible regions, background included."""
        return float(np.mean([match.recall for match in self.matches]))

    @property
    def f(self) -> float:
        """F of mean precision and mean recall."""
        return f_measure(self.precision, self.recall)

    @property
    def visible(self) -> int:
        """Visible objects; the background is none."""
        return len(self.matches) - 1

    def extracted(self, threshold: float) -> int:
        """Objects with F above `threshold`; one match is taken for the background's."""
        return max(sum(match.f > threshold for match in self.matches) - 1, 0)


def score_overlap(overlap: Overlap) -> TrajectoryScores:
    """Match regions with clusters so that the sum of F is largest (to 1/10000); a ValueError if no region is visible.

    P = shared / points of the cluster, R = shared / points of the region. More clusters than regions cost nothing; a
    region without a cluster counts with P = 1, R = 0.
    """
    seen = np.flatnonzero(overlap.total >= VISIBLE)
    if seen.size == 0:
        raise ValueError("no region is visible in the labelled frames")
    shared, covered = overlap.shared[seen], overlap.shared[seen].sum(axis=1)
    precision = _ratio(shared, overlap.shared.sum(axis=0))
    recall = _ratio(shared, covered[:, None])
    clusters = shared.shape[1]
    gain = np.zeros((max(seen.size, clusters),) * 2)
    gain[: seen.size, :clusters] = np.floor(_ratio(2 * precision * recall, precision + recall) * 10000)
    _, partner = linear_sum_assignment(-gain)
    matches = [
        Match(int(region), int(c), float(precision[k, c]), float(recall[k, c]))
        if c < clusters
        else Match(int(region), None, 1.0, 0.0)
        for k, (region, c) in enumerate(zip(seen, partner[: seen.size], strict=True))
    ]
    return TrajectoryScores(float(100 * np.mean(covered / overlap.total[seen])), tuple(matches))


def pooled(scores: Sequence[TrajectoryScores], threshold: float) -> dict[str, float]:
    """The row of a data set: means (and standard deviations) over sequences, F of the means, sums of objects."""
    precision, recall = [s.precision for s in scores], [s.recall for s in scores]
    means = math.fsum(precision) / len(scores), math.fsum(recall) / len(scores)
    return {
        "Density": float(np.mean([s.density for s in scores])),
        "Precision": means[0],
        "Recall": means[1],
        "F": f_measure(*means),
        "Extracted": sum(s.extracted(threshold) for s in scores),
        "Visible": sum(s.visible for s in scores),
        "Precision-Std": float(np.std(precision)),
        "Recall-Std": float(np.std(recall)),
    }


def f_measure(precision: float, recall: float) -> float:
    """2 P R / (P + R); 0 if both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
