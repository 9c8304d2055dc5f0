"""Depth alignments and metrics: exact solutions, published procedures, and depth that is not what it should be."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.optimize import linprog

from motion4d.metrics.absolute_loss import AbsoluteLoss
from motion4d.metrics.bicubic import resize_bicubic
from motion4d.metrics.depth import DepthScores, mean_depth_scores
from motion4d.metrics.depth_alignment import (
    ALIGNMENTS,
    Linear,
    adam_scale_shift,
    l1_scale,
    l1_scale_shift,
    median,
)
from motion4d.metrics.depth_protocols import MONO, SINTEL, VIDEO, depth_protocol_named


def values(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = 0.5 + 30 * rng.random(count) ** 2
    return np.abs(truth * 0.37 + 0.8 + rng.normal(size=count) * 0.1 * truth), truth


def loss(linear: Linear, p: np.ndarray, g: np.ndarray) -> float:
    return float(np.abs(linear(p) - g).sum())


@pytest.mark.parametrize("name", list(ALIGNMENTS))
def test_a_scaled_truth_is_found_by_every_alignment_but_metric(name: str) -> None:
    truth = values(101)[1]
    linear = ALIGNMENTS[name](truth / 4, truth)
    expected = (1.0, 0.0) if name == "metric" else (4.0, 0.0)
    # Adam walks around the optimum in steps of its rate
    assert (linear.scale, linear.shift) == pytest.approx(expected, abs=1e-3 if name == "lad2" else 1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 40, 201])
def test_least_absolute_deviations_reach_the_linear_programs_optimum(count: int) -> None:
    p, g = values(count, seed=count)
    eye = np.eye(count)
    for fit, columns in ((l1_scale, p[:, None]), (l1_scale_shift, np.stack((p, np.ones(count)), 1))):
        free = columns.shape[1]
        program = linprog(
            np.r_[np.zeros(free), np.ones(count)],
            A_ub=np.block([[columns, -eye], [-columns, -eye]]),
            b_ub=np.r_[g, -g],
            bounds=[(None, None)] * free + [(0, None)] * count,
        )
        assert loss(fit(p, g), p, g) <= program.fun + 1e-7 * (1 + g.sum())


def test_large_inputs_have_the_same_optimum_however_it_is_found() -> None:
    p, g = values(120_000)
    scale = l1_scale(p, g).scale
    order = np.argsort(g / p)
    weights = np.cumsum(p[order])
    assert scale == pytest.approx((g / p)[order][np.searchsorted(weights, weights[-1] / 2)], rel=1e-12)
    best = l1_scale_shift(p, g)
    for other in (Linear(best.scale + d, best.shift + e) for d in (-1e-5, 0, 1e-5) for e in (-1e-4, 0, 1e-4)):
        assert loss(best, p, g) <= loss(other, p, g)


def test_the_published_fit_is_adam_on_all_values() -> None:
    p, g = values(5000)
    point, first, second = np.array([median(p, g).scale, 0.0]), np.zeros(2), np.zeros(2)
    for step in range(1, 1001):
        gradient = AbsoluteLoss(p, g).at(*point)[1]
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        point = point - 1e-4 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    linear = adam_scale_shift(p, g)
    assert (linear.scale, linear.shift) == pytest.approx(tuple(point), abs=1e-12)
    assert loss(l1_scale_shift(p, g), p, g) < 0.99 * loss(linear, p, g)


def test_bicubic_is_opencvs() -> None:
    rng = np.random.default_rng(1)
    for size in ((37, 50), (9, 7), (21, 24)):
        depth = rng.random((21, 24)).astype(np.float32)
        expected = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_CUBIC)
        np.testing.assert_allclose(resize_bicubic(depth, size), expected, atol=1e-5)


def test_invalid_truth_does_not_count() -> None:
    prediction = np.full((4, 5), 3.0)
    truth = prediction.copy()
    truth[0] = (0, -1, np.nan, np.inf, 80)
    prediction[0] = np.nan
    (scores,) = SINTEL.score([prediction], [truth])
    assert (scores.abs_rel, scores.delta_1, scores.valid_pixels) == (0.0, 1.0, 15)


def test_frames_without_truth_weigh_nothing() -> None:
    depth = np.full((4, 5), 2.0)
    whole, empty = MONO.score([depth, depth], [depth * 3, np.zeros((4, 5))])
    assert empty == DepthScores()
    assert MONO.average([whole, empty]) == whole
    assert mean_depth_scores([whole, empty], weighted=False) == whole
    half = replace(whole, abs_rel=0.4, valid_pixels=60)
    assert mean_depth_scores([whole, half]).abs_rel == pytest.approx(0.3)
    assert mean_depth_scores([whole, half], weighted=False).abs_rel == pytest.approx(0.2)
    assert VIDEO.score([], []) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_is_named(bad: float) -> None:
    truth = np.ones((3, 4))
    prediction = truth.copy()
    prediction[1, :2] = bad
    with pytest.raises(ValueError, match=r"frame 1 .*NaN or infinite at 2 of 12 pixels with truth"):
        VIDEO.score([truth, prediction], [truth, truth])


@pytest.mark.parametrize("name", ["median", "scale", "lad2", "scale_l1"])
def test_depth_of_zeros_cannot_be_scaled(name: str) -> None:
    with pytest.raises(ValueError, match="predicted depth is 0 where there is truth, so it cannot be scaled"):
        ALIGNMENTS[name](np.zeros(5), np.ones(5))


@pytest.mark.parametrize("name", ["median", "scale", "lad2", "scale_l1"])
def test_depth_behind_the_camera_is_not_turned_around(name: str) -> None:
    with pytest.raises(ValueError, match="predicted depth is -.* where there is truth, so it cannot be scaled"):
        ALIGNMENTS[name](-np.arange(1.0, 6), np.arange(1.0, 6))


def test_depth_beyond_float32_is_not_scaled_in_it() -> None:
    with pytest.raises(ValueError, match="a predicted depth is 5e\\+30, too large for float32"):
        ALIGNMENTS["scale"](1e30 * np.arange(1.0, 6), np.arange(1.0, 6))
    assert ALIGNMENTS["scale_l1"](1e30 * np.arange(1.0, 6), np.arange(1.0, 6)).scale == pytest.approx(1e-30)


def test_least_squares_of_a_constant_shifts_it() -> None:
    assert ALIGNMENTS["lstsq"](np.full(4, 0.1), np.arange(4.0)) == Linear(1.0, 1.4)


def test_inverse_depth_is_aligned_as_such() -> None:
    truth = np.linspace(1, 9, 20).reshape(4, 5)
    disparity = 3 / truth + 0.2
    protocol = replace(VIDEO, alignment=ALIGNMENTS["lstsq"], disparity=True)
    (scores,) = protocol.score([disparity], [truth])
    assert scores.abs_rel < 1e-6


def test_limits_and_numbers_of_frames() -> None:
    truth = [np.full((2, 2), depth) for depth in (1.0, 50.0, 100.0)]
    prediction = [np.full((2, 2), depth) for depth in (1.0, 50.0, 1.0)]
    assert SINTEL.score(prediction, truth)[0].valid_pixels == 8
    assert replace(SINTEL, frames=1).score(prediction, truth)[0].valid_pixels == 4
    (clipped,) = replace(SINTEL, alignment=ALIGNMENTS["metric"], post_clip=(None, 40.0)).score(prediction, truth)
    assert clipped.rmse == pytest.approx(10 / np.sqrt(2))
    with pytest.raises(ValueError, match="no depth protocol sintl; there are .*sintel"):
        depth_protocol_named("sintl")
