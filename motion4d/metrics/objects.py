"""What of a label image is scored: one merged foreground, objects by their id, or objects matched with proposals.

Each scores a sequence's frames as they come, and keeps numbers only. Objects are the labels 1 to the largest one of the
sequence's first annotation (255 is no object); what appears later is not scored.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motion4d.metrics.assignment import assign
from motion4d.metrics.bits import BitGrid, BitLabels, BitMask, bit_grid
from motion4d.metrics.scores import ObjectScores, ObjectTally
from motion4d.metrics.segmentation import PixelCounts, boundary_radius, count_pixels, match_edges

NO_OBJECT = 255


@dataclass(frozen=True)
class Frame:
    """Labels [H, W] of one frame; void [H, W] bool marks pixels that do not count."""

    stem: str
    truth: np.ndarray
    prediction: np.ndarray
    void: np.ndarray | None = None

    @cached_property
    def packed(self) -> tuple[BitLabels, BitLabels]:
        """Truth and prediction, ready to take masks of."""
        grid: BitGrid = bit_grid(*self.truth.shape, boundary_radius(self.truth.shape))
        return BitLabels(grid, self.truth, self.void), BitLabels(grid, self.prediction, self.void)


class Objects(typing.Protocol):
    """Scores the objects of a sequence; `first` is its first annotation [H, W], scored or not."""

    def score(self, first: np.ndarray, frames: Iterable[Frame]) -> list[ObjectScores]:
        """One result per object. A ValueError says what cannot be scored."""


@dataclass(frozen=True)
class Merged:
    """Every non-zero label is the one foreground."""

    def score(self, first: np.ndarray, frames: Iterable[Frame]) -> list[ObjectScores]:
        """One result."""
        tally = ObjectTally(None)
        for frame in frames:
            truth, prediction = frame.packed
            tally.add(truth.foreground(), prediction.foreground())
        return [tally.scores()]


@dataclass(frozen=True)
class ById:
    """A prediction names its objects by the annotation's ids; an id that it lacks is an empty mask."""

    def score(self, first: np.ndarray, frames: Iterable[Frame]) -> list[ObjectScores]:
        """One result per id; a ValueError if a prediction has more ids than there are objects."""
        tallies = [ObjectTally(label) for label in range(1, object_count(first) + 1)]
        for frame in frames:
            largest = int(frame.prediction.max())
            if largest > len(tallies):
                raise ValueError(
                    f"frame {frame.stem}: the prediction has the id {largest}, "
                    f"but the first annotation has {len(tallies)} objects"
                )
            truth, prediction = frame.packed
            for tally in tallies:
                tally.add(truth.object(tally.label), prediction.object(tally.label))
        return [tally.scores() for tally in tallies]


@dataclass(frozen=True)
class Assigned:
    """Proposals carry any ids; the assignment with the best mean of J and F over a sequence says which is which."""

    max_proposals: int = 20

    def score(self, first: np.ndarray, frames: Iterable[Frame]) -> list[ObjectScores]:
        """One result per object, in the order of its ids; a ValueError if there are too many proposals."""
        labels = range(1, object_count(first) + 1)
        tables = [self._table(frame, labels) for frame in frames]
        count = max(len(labels), *(len(table) - 1 for table in tables))
        # table row 0 is an empty proposal: it stands in for those that a frame, or the whole sequence, lacks
        rows = [[n if n < len(table) else 0 for n in range(1, count + 1)] for table in tables]
        pairs = np.stack([table[row] for table, row in zip(tables, rows, strict=True)], axis=2)
        j, f = pairs[..., 0], pairs[..., 1]
        return [
            ObjectScores(label, j[n, g], f[n, g], PixelCounts(*map(int, pairs[n, g, :, 2:].sum(axis=0))))
            for g, (label, n) in enumerate(zip(labels, assign(j, f), strict=True))
        ]

    def _table(self, frame: Frame, labels: range) -> np.ndarray:
        """J, F, hits, false alarms, misses of every proposal (0: an empty one) with every object: [1 + N, G, 5]."""
        proposals = int(frame.prediction.max())
        if proposals > self.max_proposals:
            raise ValueError(
                f"frame {frame.stem}: the prediction has the id {proposals}, "
                f"but at most {self.max_proposals} proposals are allowed"
            )
        truth, prediction = frame.packed
        objects = [truth.object(label) for label in labels]
        masks = [prediction.nothing(), *(prediction.object(n) for n in range(1, proposals + 1))]
        return np.array([[_pair(target, mask) for target in objects] for mask in masks])


def object_count(first: np.ndarray) -> int:
    """The largest id of the first annotation; a ValueError if there is none."""
    count = int(first.max(initial=0, where=first != NO_OBJECT))
    if count == 0:
        raise ValueError(
            "the first annotation has no object ids (1 to 254); masks of one foreground are scored by another protocol"
        )
    return count


def _pair(truth: BitMask, prediction: BitMask) -> tuple[float, float, int, int, int]:
    pixels = count_pixels(truth, prediction)
    return pixels.iou, match_edges(truth, prediction).f, pixels.hits, pixels.false_alarms, pixels.misses
