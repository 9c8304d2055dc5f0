"""Protocols: which frames of a sequence count, what of them is scored, at which size, and how scores are pooled.

A protocol is a value; a new one is made of the same pieces. What published tools do beyond that (matching by position,
masks that are skipped or made up) is not repeated: see docs/quirks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion4d.io.labels import read_ids, read_labels, read_probability
from motion4d.metrics.objects import Assigned, ById, Frame, Merged, Objects
from motion4d.metrics.resampling import Pair, probability_at_truth, same_size, truth_at_network
from motion4d.metrics.scores import OVER_FRAMES, OVER_OBJECTS, OVER_SEQUENCES, Pooling, SequenceScores

Read = Callable[[Path], np.ndarray]


def every_frame(frames: Sequence[str]) -> Sequence[str]:
    """All annotated frames count."""
    return frames


def without_ends(frames: Sequence[str]) -> Sequence[str]:
    """All but the first and the last annotated frame count."""
    return frames[1:-1]


@dataclass(frozen=True)
class Protocol:
    """A way of scoring masks in files.

    frames: which of a sequence's annotated frames (stems in order) count. void: the label of annotated pixels that do
    not count. objects: what of a label image is scored. fit: brings truth and prediction to one size. poolings: rows
    over all sequences, the benchmark's own first. read_truth, read_prediction: a file -> labels [H, W].
    """

    name: str
    about: str
    frames: Callable[[Sequence[str]], Sequence[str]] = every_frame
    void: int | None = None
    objects: Objects = Merged()
    fit: Callable[[np.ndarray, np.ndarray], Pair] = same_size
    poolings: tuple[Pooling, ...] = (OVER_SEQUENCES, OVER_FRAMES)
    read_truth: Read = read_labels
    read_prediction: Read = read_labels

    def scored(self, frames: Sequence[str]) -> Sequence[str]:
        """Those of a sequence's annotated frames (stems in order) that count; ValueError if none does."""
        counting = self.frames(frames)
        if not counting:
            raise ValueError(f"it has {len(frames)} annotated frames, of which the protocol {self.name} scores none")
        return counting

    def score(self, name: str, truth: Mapping[str, Path], prediction: Mapping[str, Path]) -> SequenceScores:
        """Score one sequence, frame after frame; files by stem, in temporal order. Errors are ValueError or OSError."""
        stems = self.scored(list(truth))
        first = self.read_truth(next(iter(truth.values())))
        objects = self.objects.score(first, self._frames(stems, truth, prediction))
        return SequenceScores(name, tuple(stems), tuple(objects))

    def _frames(
        self, stems: Sequence[str], truth: Mapping[str, Path], prediction: Mapping[str, Path]
    ) -> Iterator[Frame]:
        for stem in stems:
            labels, predicted = self.read_truth(truth[stem]), self.read_prediction(prediction[stem])
            try:
                labels, predicted = self.fit(labels, predicted)
            except ValueError as error:
                raise ValueError(f"frame {stem}: {error}") from error
            yield Frame(stem, labels, predicted, None if self.void is None else labels == self.void)


FRAMES = Protocol("frames", "one foreground, every frame, mean over sequences")
DAVIS2016 = Protocol(
    "davis2016", "one foreground, without the first and last frame, mean over sequences", frames=without_ends
)
DAVIS_BINARY = Protocol("davis_binary", "all ids of DAVIS merged to one foreground, every frame, mean over sequences")
DAVIS2017_SEMI = Protocol(
    "davis2017_semi",
    "objects by id, without the first and last frame, mean over objects",
    frames=without_ends,
    objects=ById(),
    poolings=(OVER_OBJECTS, OVER_SEQUENCES, OVER_FRAMES),
    read_truth=read_ids,
    read_prediction=read_ids,
)
DAVIS2017_UNSUPERVISED = Protocol(
    "davis2017_unsupervised",
    "objects matched with at most 20 proposals (Hungarian), every frame, 255 is void, mean over objects",
    void=255,
    objects=Assigned(),
    poolings=(OVER_OBJECTS, OVER_SEQUENCES, OVER_FRAMES),
    read_truth=read_ids,
    read_prediction=read_ids,
)
GEOMOTION = Protocol(
    "geomotion",
    "one foreground, every frame, 8-bit probabilities resized to the annotation and cut at 0.1, mean over frames",
    fit=probability_at_truth,
    poolings=(OVER_FRAMES, OVER_SEQUENCES),
    read_prediction=read_probability,
)
SEGANYMO = Protocol("seganymo", "one foreground, every frame, mean over sequences (SegAnyMo's eval_mask)")
EASI3R = Protocol(
    "easi3r",
    "one foreground, every frame, annotations resized and cropped to the network's 512, mean over frames",
    fit=truth_at_network,
    poolings=(OVER_FRAMES, OVER_SEQUENCES),
)

PROTOCOLS = (
    DAVIS2016,
    DAVIS2017_SEMI,
    DAVIS2017_UNSUPERVISED,
    DAVIS_BINARY,
    EASI3R,
    FRAMES,
    GEOMOTION,
    SEGANYMO,
)
