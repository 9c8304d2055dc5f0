"""Scores of one sequence, object by object, and the ways to pool those of many sequences into one row of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from motion4d.metrics.bits import BitMask
from motion4d.metrics.segmentation import (
    PixelCounts,
    count_pixels,
    match_edges,
    nan_mean,
    sequence_statistics,
)

COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay", "IoU", "Precision", "Recall")
Row = dict[str, float]


@dataclass(frozen=True)
class ObjectScores:
    """One object (label None: everything that is foreground): J and F per frame [T], pixel counts of all frames."""

    label: int | None
    j: np.ndarray
    f: np.ndarray
    pixels: PixelCounts

    @property
    def row(self) -> Row:
        """The values of COLUMNS: statistics over the frames, and IoU, precision and recall of all pixels."""
        j, f = sequence_statistics(self.j), sequence_statistics(self.f)
        pixels = (self.pixels.iou, self.pixels.precision, self.pixels.recall)
        return dict(zip(COLUMNS, ((j.mean + f.mean) / 2, *j, *f, *pixels), strict=True))


@dataclass(frozen=True)
class SequenceScores:
    """One sequence: stems of the frames that were scored, and its objects."""

    name: str
    frames: tuple[str, ...]
    objects: tuple[ObjectScores, ...]


@dataclass
class ObjectTally:
    """Collects an object's scores frame by frame."""

    label: int | None
    j: list[float] = field(default_factory=list)
    f: list[float] = field(default_factory=list)
    pixels: PixelCounts = PixelCounts(0, 0, 0)

    def add(self, truth: BitMask, prediction: BitMask) -> None:
        """Score one frame."""
        pixels = count_pixels(truth, prediction)
        self.j.append(pixels.iou)
        self.f.append(match_edges(truth, prediction).f)
        self.pixels += pixels

    def scores(self) -> ObjectScores:
        """What was collected."""
        return ObjectScores(self.label, np.array(self.j), np.array(self.f), self.pixels)


@dataclass(frozen=True)
class Pooling:
    """A way to make one row of the scores of several sequences."""

    name: str
    pool: Callable[[Sequence[SequenceScores]], Row]


def _over_objects(sequences: Sequence[SequenceScores]) -> Row:
    return _mean_row([scores.row for sequence in sequences for scores in sequence.objects])


def _over_sequences(sequences: Sequence[SequenceScores]) -> Row:
    return _mean_row([_mean_row([scores.row for scores in sequence.objects]) for sequence in sequences])


def _over_frames(sequences: Sequence[SequenceScores]) -> Row:
    """No decay: frames of different sequences have no common time."""
    objects = [scores for sequence in sequences for scores in sequence.objects]
    pixels = sum((scores.pixels for scores in objects), PixelCounts(0, 0, 0))
    j = np.concatenate([scores.j for scores in objects])
    f = np.concatenate([scores.f for scores in objects])
    row = ObjectScores(None, j, f, pixels).row
    return {column: value for column, value in row.items() if not column.endswith("-Decay")}


OVER_OBJECTS = Pooling("mean over objects", _over_objects)
OVER_SEQUENCES = Pooling("mean over sequences", _over_sequences)
OVER_FRAMES = Pooling("mean over frames", _over_frames)


def _mean_row(rows: Sequence[Row]) -> Row:
    means = {column: nan_mean([row[column] for row in rows]) for column in COLUMNS}
    means["J&F-Mean"] = (means["J-Mean"] + means["F-Mean"]) / 2
    return means
