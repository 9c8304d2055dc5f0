"""Scores of sequences in rows, and their means per group and overall; and what the rows of motion masks hold.

J and F follow DAVIS (motion4d.metrics.segmentation), frame by frame; mean, recall and decay are over the frames of a
sequence. IoU, precision and recall pool all pixels of a sequence. Means are over sequences in which something moves.
A sequence in which nothing moves has no region to find: of it, `static` says what share of its pixels was marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motion4d.metrics.segmentation import frame_f, frame_j, pixel_counts, sequence_statistics

Scores = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """What rows of scores hold. metrics: names of all figures; main: of those in short tables and in sweeps.

    protocol: how they came about where no published protocol applies; note: a line below tables; medians: names of
    figures whose median over sequences is told too, as "NAME median".
    """

    metrics: tuple[str, ...]
    main: tuple[str, ...]
    protocol: str
    note: str
    medians: tuple[str, ...] = ()

    def means(self, rows: Sequence[Mapping[str, Any]]) -> Scores:
        """Means and medians over the rows that have a figure; the protocol; how many sequences and frames."""
        means: Scores = {
            "protocol": self.protocol,
            "sequences": len(rows),
            "frames": sum(row["frames"] for row in rows),
        }
        for name in self.metrics:
            values = [row[name] for row in rows if row.get(name) is not None]
            if values:
                means[name] = float(np.mean(values))
                if name in self.medians:
                    means[f"{name} median"] = float(np.median(values))
        return means


METRICS = ("J&F", "J", "J recall", "J decay", "F", "F recall", "F decay", "IoU", "precision", "recall", "static")
COLUMNS_TO_METRICS = {  # names that protocols give (motion4d.metrics) -> names of our tables
    **{f"{name}-Mean": name for name in ("J&F", "J", "F")},
    **{f"{name}-{kind}": f"{name} {kind.lower()}" for name in ("J", "F") for kind in ("Recall", "Decay")},
    **{"IoU": "IoU", "Precision": "precision", "Recall": "recall"},
}
MASK_FIGURES = Figures(
    METRICS,
    main=("J&F", "J", "F", "IoU", "precision", "recall", "static"),
    protocol="frames, moving",
    note="static: share of pixels marked where nothing moves",
)


def score_sequence(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray | None = None) -> Scores:
    """Scores of one sequence: prediction, truth, valid bool [N, H, W] (valid False: no truth here).

    Where nothing moves only `static` is there; elsewhere everything else.
    """
    void = np.zeros_like(truth, dtype=bool) if valid is None else ~valid
    counts = pixel_counts(truth, prediction, void)
    if not (truth & ~void).any():
        return {"frames": len(truth), "static": counts.false_alarms / max(1, int((~void).sum()))}
    region = [frame_j(g, p, v) for g, p, v in zip(truth, prediction, void, strict=True)]
    boundary = [frame_f(g, p, v) for g, p, v in zip(truth, prediction, void, strict=True)]
    scores: Scores = {"frames": len(truth), **_statistics("J", region), **_statistics("F", boundary)}
    scores["J&F"] = (scores["J"] + scores["F"]) / 2
    return {**scores, "IoU": counts.iou, "precision": counts.precision, "recall": counts.recall}


def grouped(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by their `group`, in order of first appearance."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return groups


def _statistics(name: str, values: Sequence[float]) -> Scores:
    statistics = sequence_statistics(values)
    return {name: statistics.mean, f"{name} recall": statistics.recall, f"{name} decay": statistics.decay}
