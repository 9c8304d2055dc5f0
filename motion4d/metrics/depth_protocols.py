"""Protocols of depth: which frames count, what is aligned and how, where depth is cut, how scores are averaged.

A protocol is a value; a new one is made of the same pieces (dataclasses.replace changes one). No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motion4d.metrics.bicubic import resize_bicubic
from motion4d.metrics.depth import DepthScores, depth_scores, mean_depth_scores, valid_pixels
from motion4d.metrics.depth_alignment import Alignment, Linear, adam_scale_shift, iterated_scale, median, metric

Map = NDArray[np.floating]


@dataclass(frozen=True)
class DepthProtocol:
    """A way of scoring depth maps.

    alignment: one of motion4d.metrics.depth_alignment. per_frame: every frame has an alignment and scores of its own,
    and the network sees it alone; else all frames of a sequence together. frames: at most so many of a sequence, its
    first ones. max_depth: truth from there on does not count. pre_clip, post_clip: least and largest predicted depth
    before and after the alignment. disparity: predictions are inverse depth, and aligned as such.
    """

    name: str
    about: str
    alignment: Alignment = iterated_scale
    per_frame: bool = False
    frames: int | None = None
    max_depth: float | None = None
    pre_clip: tuple[float | None, float | None] = (None, None)
    post_clip: tuple[float | None, float | None] = (None, None)
    disparity: bool = False

    def score(self, predictions: Iterable[Map], truths: Iterable[Map]) -> list[DepthScores]:
        """Scores of one sequence: one for all frames, or one per frame.

        Maps [h, w] and [H, W] in temporal order; a prediction of another size is resized bicubically. A ValueError
        names the frame whose prediction is not finite where it is compared.
        """
        if self.per_frame:
            return [self.score_values(*pair) for pair in self._pairs(predictions, truths)]
        pairs = list(self._pairs(predictions, truths))
        return [self.score_values(*(np.concatenate(values) for values in zip(*pairs, strict=True)))] if pairs else []

    def shown(self, predictions: Sequence[Map], truths: Sequence[Map]) -> list[NDArray[np.float64]]:
        """Predicted maps of some frames as they would be scored, for pictures; as they are where there is no truth."""
        pairs = list(self._pairs(predictions, truths))
        if not self.per_frame:
            joined = tuple(np.concatenate(values) for values in zip(*pairs, strict=True))
            pairs = [(joined[0], joined[1])] * len(pairs)
        fits = [self.fit(*pair) if pair[1].size else Linear() for pair in pairs]
        return [self.aligned(np.asarray(one, np.float64), fit) for one, fit in zip(predictions, fits, strict=False)]

    def score_values(
        self, prediction: NDArray[np.float64], truth: NDArray[np.float64], chosen: NDArray[np.bool_] | None = None
    ) -> DepthScores:
        """Align values [P] that count, and score them, or those that are `chosen` [P] after the alignment."""
        if not truth.size:
            return DepthScores()
        aligned = self.aligned(prediction, self.fit(prediction, truth))
        return depth_scores(aligned, truth) if chosen is None else depth_scores(aligned[chosen], truth[chosen])

    def fit(self, prediction: NDArray[np.float64], truth: NDArray[np.float64]) -> Linear:
        """The alignment of values [P] that count."""
        return self.alignment(_clipped(prediction, self.pre_clip), 1 / (truth + 1e-8) if self.disparity else truth)

    def aligned(self, prediction: NDArray[np.float64], linear: Linear) -> NDArray[np.float64]:
        """Predicted values under an alignment, as they are scored."""
        values = linear(_clipped(prediction, self.pre_clip))
        if self.disparity:
            values = np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
        return _clipped(values, self.post_clip)

    def average(self, scores: Sequence[DepthScores]) -> DepthScores:
        """The average over frames and sequences, weighted by valid pixels."""
        return mean_depth_scores(scores)

    def values(self, prediction: Map, truth: Map) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predicted and true depth [P] of one frame where there is truth."""
        if prediction.ndim != 2 or truth.ndim != 2:
            raise ValueError(f"depth is one map per frame, but these have {prediction.shape} and {truth.shape}")
        valid = valid_pixels(truth, self.max_depth)
        predicted = resize_bicubic(prediction, (truth.shape[0], truth.shape[1]))[valid]
        unknown = int((~np.isfinite(predicted)).sum())
        if unknown:
            raise ValueError(f"the prediction is NaN or infinite at {unknown} of {predicted.size} pixels with truth")
        return predicted, truth[valid].astype(np.float64)

    def _pairs(
        self, predictions: Iterable[Map], truths: Iterable[Map]
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        for number, (prediction, truth) in enumerate(zip(predictions, truths, strict=True)):
            if self.frames is not None and number >= self.frames:
                return
            try:
                yield self.values(prediction, truth)
            except ValueError as error:
                raise ValueError(f"frame {number} (counted from 0): {error}") from error


def _clipped(values: NDArray[np.float64], limits: tuple[float | None, float | None]) -> NDArray[np.float64]:
    return values if limits == (None, None) else np.clip(values, *limits)


VIDEO = DepthProtocol("video", "a video at once, no limit")
NEAR = DepthProtocol("near", "a video at once, below 70: sky is left out", max_depth=70.0)
MONO = DepthProtocol("mono", "the median of every frame by itself, no limit", median, per_frame=True)

# PAGE-4D's: of a video the first 120 frames; limits in metres
SINTEL = DepthProtocol(
    "sintel", "a video at once, below 70 m, clipped there", frames=120, max_depth=70.0, post_clip=(None, 70.0)
)
BONN = DepthProtocol("bonn", "a video at once, below 70 m", frames=120, max_depth=70.0)
DYCHECK = replace(BONN, name="dycheck")
KITTI = DepthProtocol("kitti", "a video at once, no limit", frames=120)
SINTEL_MONO = replace(
    MONO, name="sintel_mono", about="the median of every frame, below 70 m", max_depth=70.0, post_clip=(None, 70.0)
)
BONN_MONO = replace(MONO, name="bonn_mono", about="the median of every frame, below 70 m", max_depth=70.0)
KITTI_MONO, DYCHECK_MONO, NYU = (replace(MONO, name=name) for name in ("kitti_mono", "dycheck_mono", "nyu"))

# with scale and shift by the published fit: PAGE-4D's variant, and MonST3R's, which has every frame
SINTEL_LAD2, BONN_LAD2, DYCHECK_LAD2, KITTI_LAD2 = (
    replace(
        one,
        name=f"{one.name}_lad2",
        about=f"{one.about}; scale and shift",
        alignment=adam_scale_shift,
        pre_clip=(0.0, None),
    )
    for one in (SINTEL, BONN, DYCHECK, KITTI)
)
SINTEL_MONST3R, BONN_MONST3R, KITTI_MONST3R = (
    replace(one, name=name, about=f"{one.about}; every frame", frames=None, pre_clip=(None, None))
    for one, name in ((SINTEL_LAD2, "sintel_monst3r"), (BONN_LAD2, "bonn_monst3r"), (KITTI_LAD2, "kitti_monst3r"))
)
# in the unit of the prediction
SINTEL_METRIC, BONN_METRIC, DYCHECK_METRIC, KITTI_METRIC = (
    replace(one, name=f"{one.name}_metric", about=f"{one.about}; as predicted", alignment=metric)
    for one in (SINTEL, BONN, DYCHECK, KITTI)
)

DEPTH_PROTOCOLS = (
    *(VIDEO, NEAR, MONO, SINTEL, BONN, DYCHECK, KITTI, SINTEL_MONO, BONN_MONO, KITTI_MONO, DYCHECK_MONO, NYU),
    *(SINTEL_LAD2, BONN_LAD2, DYCHECK_LAD2, KITTI_LAD2, SINTEL_MONST3R, BONN_MONST3R, KITTI_MONST3R),
    *(SINTEL_METRIC, BONN_METRIC, DYCHECK_METRIC, KITTI_METRIC),
)


def depth_protocol_named(name: str) -> DepthProtocol:
    """The protocol of this name; a ValueError lists those that there are."""
    known = {protocol.name: protocol for protocol in DEPTH_PROTOCOLS}
    if name not in known:
        raise ValueError(f"there is no depth protocol {name}; there are {', '.join(sorted(known))}")
    return known[name]
