"""Protocols: which frames of a sequence count, and how frame scores become the numbers of a table.

- DAVIS2016: one foreground, the first and the last frame do not count, statistics per sequence, means over sequences.
- FRAMES: one foreground, every frame counts; otherwise the same.
Both poolings are always at hand: means over sequences (the benchmark's) and over all frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion4d.metrics.segmentation import (
    PixelCounts,
    Statistics,
    frame_f,
    frame_j,
    nan_mean,
    pixel_counts,
    sequence_statistics,
)

COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay", "IoU", "Precision", "Recall")


@dataclass(frozen=True)
class Protocol:
    """A way of scoring; `scores_ends`: whether the first and the last frame of a sequence count."""

    name: str
    scores_ends: bool

    def scored(self, frames: Sequence[str]) -> Sequence[str]:
        """Those of a sequence's annotated frames (stems in order) that count; ValueError if none does."""
        counting = frames if self.scores_ends else frames[1:-1]
        if not counting:
            raise ValueError(f"it has {len(frames)} annotated frames, of which the protocol {self.name} scores none")
        return counting


DAVIS2016 = Protocol("davis2016", scores_ends=False)
FRAMES = Protocol("frames", scores_ends=True)


@dataclass(frozen=True)
class SequenceScores:
    """One sequence: stems of the scored frames, their J and F [T], and the pixel counts of all of them."""

    name: str
    frames: tuple[str, ...]
    j: np.ndarray
    f: np.ndarray
    pixels: PixelCounts

    @cached_property
    def j_statistics(self) -> Statistics:
        """Mean, recall and decay of J."""
        return sequence_statistics(self.j)

    @cached_property
    def f_statistics(self) -> Statistics:
        """Mean, recall and decay of F."""
        return sequence_statistics(self.f)

    @property
    def row(self) -> dict[str, float]:
        """The values of COLUMNS."""
        j, f = self.j_statistics, self.f_statistics
        pixels = (self.pixels.iou, self.pixels.precision, self.pixels.recall)
        return dict(zip(COLUMNS, ((j.mean + f.mean) / 2, *j, *f, *pixels), strict=True))


def score_sequence(name: str, frames: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> SequenceScores:
    """Score (stem, truth [H, W], prediction [H, W]) one after the other; non-zero is foreground."""
    stems, j, f, pixels = [], [], [], PixelCounts(0, 0, 0)
    for stem, truth, prediction in frames:
        stems.append(stem)
        j.append(frame_j(truth, prediction))
        f.append(frame_f(truth, prediction))
        pixels += pixel_counts(truth, prediction)
    return SequenceScores(name, tuple(stems), np.array(j), np.array(f), pixels)


def mean_over_sequences(sequences: Sequence[SequenceScores]) -> dict[str, float]:
    """COLUMNS as the benchmark reports them: each sequence weighs the same."""
    rows = [sequence.row for sequence in sequences]
    means = {column: nan_mean([row[column] for row in rows]) for column in COLUMNS}
    means["J&F-Mean"] = (means["J-Mean"] + means["F-Mean"]) / 2
    return means


def mean_over_frames(sequences: Sequence[SequenceScores]) -> dict[str, float]:
    """J, F and their recall over all frames of all sequences, and IoU, precision and recall over all their pixels."""
    j = np.concatenate([sequence.j for sequence in sequences])
    f = np.concatenate([sequence.f for sequence in sequences])
    pixels = sum((sequence.pixels for sequence in sequences), PixelCounts(0, 0, 0))
    j_statistics, f_statistics = sequence_statistics(j), sequence_statistics(f)
    return {
        "J&F-Mean": (j_statistics.mean + f_statistics.mean) / 2,
        "J-Mean": j_statistics.mean,
        "J-Recall": j_statistics.recall,
        "F-Mean": f_statistics.mean,
        "F-Recall": f_statistics.recall,
        "IoU": pixels.iou,
        "Precision": pixels.precision,
        "Recall": pixels.recall,
    }
