"""Scores of masks: published cases, invariants, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from motion4d.metrics.boundary_plain import plain_boundary, plain_match
from motion4d.metrics.segmentation import (
    PixelCounts,
    bin_edges,
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


def _dilated_f(truth: np.ndarray, prediction: np.ndarray, radius: int) -> float:
    """F the plain way: dilate whole boundary maps by a disk."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = x**2 + y**2 <= radius**2
    edges = [plain_boundary(mask) for mask in (truth, prediction)]
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
    if plain_boundary(truth).any() and plain_boundary(prediction).any():
        assert frame_f(truth, prediction, tolerance=radius) == _dilated_f(truth, prediction, radius)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.sampled_from([1, 2, 63, 64, 65, 127, 130]), height=st.integers(1, 40))
def test_packed_bits_equal_whole_frames_at_any_width(seed: int, width: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random((2, height, width)) < rng.choice([0.02, 0.5, 0.98])
    assert match_boundaries(truth, prediction) == plain_match(truth, prediction)


@pytest.mark.parametrize("radius", [1, 1.5, 20, 63, 64, 150])
def test_a_radius_may_be_wider_than_a_word_or_the_image(radius: float) -> None:
    rng = np.random.default_rng(3)
    truth, prediction = rng.random((2, 40, 300)) < 0.0008
    y, x = np.nonzero(plain_boundary(truth))
    v, u = np.nonzero(plain_boundary(prediction))
    close = (y[:, None] - v) ** 2 + (x[:, None] - u) ** 2 <= radius**2
    match = match_boundaries(truth, prediction, tolerance=radius)
    assert (match.truth_matched, match.prediction_matched) == (close.any(axis=1).sum(), close.any(axis=0).sum())


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
