"""Terms on pointmaps of pairs: the reference cases, what they are blind to, exact geometry, missing truth."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motion4d.backbones.pairs import PairPointmaps
from motion4d.clip import Clip, Source
from motion4d.geometry.poses import se3
from motion4d.geometry.quaternions import rotation_from_quaternion
from motion4d.losses import pairs
from motion4d.losses.pair_space import FittedScale, Space
from motion4d.losses.pair_truth import PairTruth, in_first_camera, neighbours
from motion4d.losses.point_scale import (
    by_mean,
    by_mean_log,
    by_median,
    by_root_mean,
    by_warped_mean,
    mean_fit,
    median_fit,
    weiszfeld_fit,
)
from tests.reference.procedures import monst3r_mtrain
from tests.reference.pytest_cases import cases_of, check

NORMS = [by_mean, by_mean_log, by_warped_mean, by_median, by_root_mean]
SPACES = {
    **{norm.__name__: Space(norm) for norm in NORMS},
    "as_it_is": Space(None),
    "scale_and_shift": Space(shift_invariant=True, scale_invariant=True, true_scale=True),
    "own_scale_and_shift": Space(shift_invariant=True, scale_invariant=True),
    "fitted": FittedScale(),
}


def _truth(seed: int = 0) -> PairTruth:
    torch.manual_seed(seed)
    points = torch.randn(3, 2, 6, 8, 3) + torch.tensor([0.0, 0.0, 4.0])
    return PairTruth(points, torch.rand(3, 2, 6, 8) > 0.2)


def _said(points: torch.Tensor) -> PairPointmaps:
    sure = torch.full(points.shape[:1] + points.shape[2:4], 2.0)
    return PairPointmaps(points[:, 0], sure, points[:, 1], sure.clone())


def _loss(points: torch.Tensor, truth: PairTruth, space) -> float:
    return sum(pairs.regression(_said(points), truth, image=k, space=space).mean().item() for k in (0, 1))


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=monst3r_mtrain.PROCEDURES))
def test_reference(case) -> None:
    check(case)


@pytest.mark.parametrize("name", SPACES)
def test_a_perfect_prediction_has_no_loss_and_noise_has(name: str) -> None:
    truth = _truth()
    # where nothing is known, anything may be said
    points = torch.where(truth.valid.unsqueeze(-1), truth.points, 1e3)
    if name != "as_it_is":
        assert _loss(truth.points + 0.1 * torch.randn_like(truth.points), truth, SPACES[name]) > 0.01
    assert _loss(points, truth, SPACES[name]) == pytest.approx(0, abs=1e-5)


def test_what_each_space_is_blind_to() -> None:
    truth = _truth()
    larger, farther = 7 * truth.points, truth.points + torch.tensor([0.0, 0.0, 3.0])
    for name in ("by_mean", "by_median", "by_root_mean", "scale_and_shift", "own_scale_and_shift", "fitted"):
        assert _loss(larger, truth, SPACES[name]) == pytest.approx(0, abs=1e-5), name
    for name in ("scale_and_shift", "own_scale_and_shift"):
        assert _loss(5 * farther, truth, SPACES[name]) == pytest.approx(0, abs=1e-4), name
    assert _loss(larger, truth, SPACES["as_it_is"]) > 1
    assert _loss(farther, truth, SPACES["by_mean"]) > 0.1


def test_scale_invariant_losses_in_the_truths_units_grow_with_the_truth() -> None:
    truth = _truth()
    noisy = truth.points + 0.1 * torch.randn_like(truth.points)
    larger = dataclasses.replace(truth, points=10 * truth.points)
    space = SPACES["scale_and_shift"]
    assert _loss(noisy, larger, space) == pytest.approx(10 * _loss(noisy, truth, space), rel=1e-4)


@pytest.mark.parametrize("fit", [mean_fit, median_fit, weiszfeld_fit])
def test_the_scale_of_a_scaled_prediction_is_found_among_outliers(fit) -> None:
    truth = _truth()
    predicted = 2.5 * truth.points
    torch.testing.assert_close(fit(predicted, truth.points, truth.valid), torch.full((3,), 2.5))
    predicted[:, :, :1] *= -4
    if fit is not mean_fit:
        torch.testing.assert_close(fit(predicted, truth.points, truth.valid), torch.full((3,), 2.5), atol=0.05, rtol=0)


@pytest.mark.parametrize("name", SPACES)
def test_pairs_without_truth_give_no_loss_and_finite_gradients(name: str) -> None:
    truth = _truth()
    for empty in (slice(0, 1), slice(0, 3)):  # one of the pairs, all of them
        valid = truth.valid.clone()
        valid[empty] = False
        points = torch.randn_like(truth.points).requires_grad_()
        said = _said(points)
        bare = PairTruth(torch.where(valid.unsqueeze(-1), truth.points, 0), valid)
        total = sum(pairs.confidence(said, bare, image=k, space=SPACES[name]).mean() for k in (0, 1))
        total.backward()
        assert points.grad is not None
        assert points.grad.isfinite().all()
        assert not points.grad[empty].any()
    assert total == 0


def test_confidence_pays_where_it_tells_the_error() -> None:
    truth = _truth()
    said = _said(truth.points + 0.3 * torch.randn_like(truth.points))
    error = torch.zeros_like(said.confidence_first)
    error[truth.valid[:, 0]] = pairs.regression(said, truth, image=0)
    losses = []
    for factor in (1.0, 1.5, 1 / 1.5):
        said.confidence_first = (0.2 / error.clamp(min=1e-6)) * factor
        losses.append(pairs.confidence(said, truth, image=0).mean())
    assert losses[0] < min(losses[1:])


def test_the_truth_is_both_images_in_the_first_camera() -> None:
    torch.manual_seed(1)
    poses = se3(
        rotation_from_quaternion(torch.randn(2, 3, 4) * 0.1 + torch.tensor([0.0, 0, 0, 1])), torch.randn(2, 3, 3)
    )
    intrinsics = torch.tensor([[30.0, 0, 11.5], [0, 30, 9.5], [0, 0, 1]]).expand(2, 3, 3, 3)
    depth = 1 + torch.rand(2, 3, 20, 24)
    depth[0, 0, 0, 0], depth[0, 0, 0, 1] = torch.nan, -1
    clip = Clip(torch.zeros(2, 3, 3, 20, 24), depth=depth, camera_to_world=poses, intrinsics=intrinsics)
    truth = in_first_camera(clip)
    order = neighbours(3)
    assert order == ((0, 1), (1, 0), (1, 2), (2, 1))
    assert truth.points.shape == (8, 2, 20, 24, 3)
    assert not truth.valid[0, 0, 0, :2].any()
    assert truth.valid[1, 0].all()
    assert not truth.valid[1, 1, 0, :2].any()
    ray = torch.tensor([(7 - 11.5) / 30, (5 - 9.5) / 30, 1.0, 0.0])
    for row, (video, (i, j)) in enumerate((b, pair) for b in range(2) for pair in order):
        for image, frame in enumerate((i, j)):
            seen = ray * depth[video, frame, 5, 7] + torch.tensor([0, 0, 0, 1.0])
            expected = torch.linalg.inv(poses[video, i]) @ poses[video, frame] @ seen
            torch.testing.assert_close(truth.points[row, image, 5, 7], expected[:3], atol=1e-4, rtol=1e-4)


def test_what_is_missing_is_named() -> None:
    clip = Clip(torch.zeros(1, 2, 3, 4, 4), sources=(Source(sequence="bear"),))
    with pytest.raises(ValueError, match="bear has no depth, intrinsics, camera_to_world"):
        in_first_camera(clip)
    with pytest.raises(ValueError, match="a pair needs two frames, but the clip has one"):
        neighbours(1)
