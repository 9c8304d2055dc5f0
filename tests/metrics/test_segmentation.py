"""Scores of masks: published cases, invariants, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from motion4d.metrics.assignment import assign_objects
from motion4d.metrics.protocols import DAVIS2016, FRAMES, mean_over_frames, mean_over_sequences, score_sequence
from motion4d.metrics.segmentation import (
    PixelCounts,
    bin_edges,
    boundary,
    frame_f,
    frame_j,
    match_boundaries,
    pixel_counts,
    sequence_statistics,
)
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

KINDS = ("frame_metrics", "sequence_statistics", "object_assignment", "mask_resize")


@pytest.mark.parametrize("case", cases_of("moseg-eval", kinds=KINDS))
def test_published_numbers(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(
    "case", [p for p in cases_of("moseg-eval", kinds=["davis_evaluation"]) if p.values[0].params["objects"] == "merged"]
)
def test_published_protocols(case: Case) -> None:
    check(case)


def _dilated_f(truth: np.ndarray, prediction: np.ndarray, radius: int) -> float:
    """F the plain way: dilate whole boundary maps by a disk."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = x**2 + y**2 <= radius**2
    edges = [boundary(mask) for mask in (truth, prediction)]
    wide = [ndimage.binary_dilation(edge, disk) for edge in edges]
    precision = (edges[1] & wide[0]).sum() / edges[1].sum()
    recall = (edges[0] & wide[1]).sum() / edges[0].sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.01, 0.5), radius=st.integers(1, 6))
def test_f_equals_dilation_of_whole_frames(seed: int, share: float, radius: int) -> None:
    rng = np.random.default_rng(seed)
    truth = ndimage.binary_opening(rng.random((40, 53)) < 0.6)
    prediction = truth ^ (rng.random(truth.shape) < share / 4)
    if boundary(truth).any() and boundary(prediction).any():
        assert frame_f(truth, prediction, tolerance=radius) == _dilated_f(truth, prediction, radius)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_do_not_depend_on_what_lies_in_the_void(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction, void, noise = rng.random((4, 24, 31)) < np.array([0.4, 0.4, 0.2, 0.5])[:, None, None]
    changed = np.where(void, noise, prediction)
    assert match_boundaries(truth, prediction, void) == match_boundaries(truth, changed, void)
    assert pixel_counts(truth, prediction, void) == pixel_counts(truth, changed, void)


def test_scores_are_symmetric_and_labels_are_foreground() -> None:
    rng = np.random.default_rng(1)
    truth, prediction = rng.integers(0, 3, (2, 30, 40)) * (rng.random((2, 30, 40)) < 0.3)
    assert frame_j(truth, prediction) == frame_j(prediction > 0, truth > 0)
    assert frame_f(truth, prediction) == frame_f(prediction > 0, truth > 0)
    forward, backward = pixel_counts(truth, prediction), pixel_counts(prediction, truth)
    assert (forward.precision, forward.recall) == (backward.recall, backward.precision)


def test_pixel_counts() -> None:
    truth = np.array([[1, 1, 0, 0]])
    counts = pixel_counts(truth, np.array([[1, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))
    assert counts == PixelCounts(hits=1, false_alarms=1, misses=1)
    assert (counts.iou, counts.precision, counts.recall) == (1 / 3, 0.5, 0.5)
    assert counts + counts == PixelCounts(2, 2, 2)
    nothing = pixel_counts(truth * 0, truth * 0)
    assert (nothing.iou, nothing.precision, nothing.recall) == (1.0, 1.0, 1.0)


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"prediction mask is \(2, 3\), but the truth is \(3, 2\)"):
        frame_j(np.zeros((3, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="void mask"):
        frame_f(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((1, 2)))


def test_bins_of_long_sequences_do_not_wrap() -> None:
    for count in (1, 4, 100, 256, 800):
        edges = bin_edges(count)
        assert edges == sorted(edges)
        assert (edges[0], edges[-1]) == (0, count - 1)
    falling = np.linspace(1, 0, 800)
    assert sequence_statistics(falling).decay == pytest.approx(0.75, abs=0.01)


def test_statistics_of_missing_scores() -> None:
    with pytest.raises(ValueError, match="at least one score"):
        sequence_statistics([])
    mean, recall, decay = sequence_statistics([math.nan, math.nan])
    assert math.isnan(mean)
    assert math.isnan(decay)
    assert recall == 0
    assert sequence_statistics([math.nan, 1.0]).recall == 0.5


def test_assignment_is_listed_by_object() -> None:
    truth = np.zeros((2, 1, 20, 20), dtype=bool)
    truth[0, :, :5, :5] = truth[1, :, 10:15, 10:15] = True
    assignment = assign_objects(truth, truth[::-1])
    assert assignment.proposal.tolist() == [1, 0]
    assert assignment.j.tolist() == [[1.0], [1.0]]
    alone = assign_objects(truth, truth[1:])
    assert alone.proposal.tolist() == [1, 0]  # 1 is the empty proposal that was added
    assert alone.j.tolist() == [[0.0], [1.0]]


def test_protocols_choose_frames_and_pool_both_ways() -> None:
    frames = ["a", "b", "c", "d"]
    assert DAVIS2016.scored(frames) == ["b", "c"]
    assert FRAMES.scored(frames) == frames
    with pytest.raises(ValueError, match="2 annotated frames, of which the protocol davis2016 scores none"):
        DAVIS2016.scored(["a", "b"])
    full, empty = np.ones((4, 4)), np.zeros((4, 4))
    good = score_sequence("good", [("a", full, full)])
    bad = score_sequence("bad", [(stem, full, empty) for stem in frames])
    assert mean_over_sequences([good, bad])["J-Mean"] == 0.5
    assert mean_over_frames([good, bad])["J-Mean"] == 0.2
    assert mean_over_frames([good, bad])["Recall"] == 0.2
