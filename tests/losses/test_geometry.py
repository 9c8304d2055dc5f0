"""Terms on cameras, depth, points and tracks: the reference cases, exact geometry, missing truth, clear errors."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch

from motion4d.backbones.vggt_prediction import VGGTPrediction
from motion4d.clip import Clip, Source
from motion4d.geometry.poses import se3
from motion4d.geometry.projection import project, transform_points
from motion4d.geometry.quaternions import rotation_from_quaternion
from motion4d.losses import camera, dense, gradients
from motion4d.losses.compose import WeightedSum
from motion4d.losses.geometry_truth import GeometryTruth, normalised
from motion4d.losses.tracks import track_losses
from tests.reference.pytest_cases import cases_of, check

KINDS = ["normalization", "losses", "loss_gradients", "quantile_filter", "track_losses"]
TERMS = {
    "T": camera.translation,
    "R": camera.rotation,
    "FL": camera.field_of_view,
    "reg_depth": partial(dense.regression, of=dense.depth, valid_range=0.98),
    "log_depth": dense.log_regression,
    "grad_depth": partial(gradients.differences, of=dense.depth),
    "reg_point": partial(dense.regression, of=dense.points, valid_range=0.98),
    "grad_point": partial(gradients.normals, of=dense.points),
}


def _clip(batch: int = 2, frames: int = 3, height: int = 20, width: int = 24) -> Clip:
    poses = se3(
        rotation_from_quaternion(torch.randn(batch, frames, 4) * 0.1 + torch.tensor([0.0, 0, 0, 1])),
        torch.randn(batch, frames, 3),
    )
    intrinsics = torch.tensor([[30.0, 0, (width - 1) / 2], [0, 28, (height - 1) / 2], [0, 0, 1]])
    return Clip(
        torch.zeros(batch, frames, 3, height, width),
        depth=1 + 4 * torch.rand(batch, frames, height, width),
        camera_to_world=poses,
        intrinsics=intrinsics.expand(batch, frames, 3, 3),
        sources=tuple(Source(sequence=name) for name in ("bear", "car")[:batch]),
    )


def _perfect(truth: GeometryTruth) -> VGGTPrediction:
    sure = torch.full_like(truth.depth, 2.0)
    return VGGTPrediction(
        pose_encodings=torch.stack([truth.pose_encodings] * 2).requires_grad_(),
        depth=truth.depth.clone().requires_grad_(),
        depth_confidence=sure.requires_grad_(),
        points_world=truth.points_world.clone().requires_grad_(),
        points_confidence=sure.clone().detach().requires_grad_(),
    )


@pytest.mark.parametrize("case", cases_of("page4d", kinds=KINDS))
def test_reference(case) -> None:
    check(case)


def test_scale_and_world_of_the_truth_do_not_matter() -> None:
    clip = _clip()
    assert clip.depth is not None
    assert clip.camera_to_world is not None
    world = se3(rotation_from_quaternion(torch.randn(4)), torch.randn(3))
    moved = world @ clip.camera_to_world
    moved[..., :3, 3] *= 7
    first = normalised(clip)
    second = normalised(dataclasses.replace(clip, depth=7 * clip.depth, camera_to_world=moved))
    for field in dataclasses.fields(GeometryTruth):
        torch.testing.assert_close(
            getattr(first, field.name).float(), getattr(second, field.name).float(), atol=1e-5, rtol=1e-4
        )


def test_the_truth_is_at_scale_one_in_the_first_camera_and_agrees_with_itself() -> None:
    clip = _clip()
    truth = normalised(clip)
    assert clip.intrinsics is not None
    torch.testing.assert_close(truth.points_world.norm(dim=-1).mean((1, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(truth.world_to_camera[:, 0], torch.eye(4).expand(2, 4, 4), atol=1e-5, rtol=0)
    points = transform_points(truth.world_to_camera, truth.points_world)
    torch.testing.assert_close(points[..., 2], truth.depth, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        project(points, clip.intrinsics)[0, 0, 5, 7], torch.tensor([7.0, 5.0]), atol=1e-3, rtol=0
    )


def test_unknown_depth_counts_neither_for_the_scale_nor_for_a_loss() -> None:
    clip = _clip()
    assert clip.depth is not None
    depth = clip.depth.clone()
    depth[:, :, :4], depth[:, :, 4:8, :3], depth[:, :, 8:10] = torch.inf, torch.nan, 0
    truth = normalised(dataclasses.replace(clip, depth=depth))
    known = torch.ones_like(truth.valid)
    known[:, :, :4], known[:, :, 4:8, :3], known[:, :, 8:10] = False, False, False
    assert torch.equal(truth.valid, known)
    masked = normalised(dataclasses.replace(clip, valid=known))
    torch.testing.assert_close(truth.depth[known], masked.depth[known])
    prediction = _perfect(truth)
    prediction.depth = torch.where(known, truth.depth, 50.0)
    for name in ("reg_depth", "log_depth", "grad_depth"):
        assert TERMS[name](prediction, truth).mean() == 0


@pytest.mark.parametrize("name", TERMS)
def test_a_perfect_prediction_has_no_loss(name: str) -> None:
    truth = normalised(_clip())
    assert TERMS[name](_perfect(truth), truth).mean().item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", TERMS)
def test_without_truth_a_term_is_zero_and_still_has_a_gradient(name: str) -> None:
    truth = normalised(_clip())
    truth = dataclasses.replace(truth, valid=torch.zeros_like(truth.valid))
    prediction = _perfect(truth)
    loss = TERMS[name](prediction, truth).mean()
    loss.backward()
    assert loss == 0
    leaves = [prediction.pose_encodings, prediction.depth, prediction.points_world]
    assert any(leaf is not None and leaf.grad is not None and not leaf.grad.any() for leaf in leaves)


def test_an_opposite_quaternion_is_the_same_rotation_if_one_says_so() -> None:
    truth = normalised(_clip())
    prediction = _perfect(truth)
    flipped = truth.pose_encodings.clone()
    flipped[..., 3:7] *= -1
    prediction.pose_encodings = flipped[None]
    assert camera.rotation(prediction, truth) > 0.1
    assert camera.rotation(prediction, truth, difference=camera.as_rotations) == 0


def test_later_stages_of_the_camera_head_count_more() -> None:
    truth = normalised(_clip())
    off = truth.pose_encodings + 1
    early, late = (
        VGGTPrediction(pose_encodings=torch.stack(stages))
        for stages in ([off, truth.pose_encodings], [truth.pose_encodings, off])
    )
    assert camera.translation(early, truth).item() == pytest.approx(0.3)
    assert camera.translation(late, truth).item() == pytest.approx(0.5)


def test_the_confidence_term_is_least_where_confidence_tells_the_error() -> None:
    truth = normalised(_clip())
    prediction = _perfect(truth)
    error = 0.05 + torch.rand_like(truth.depth)
    prediction.depth = truth.depth + error
    losses = []
    for confidence in (0.2 / error, 0.2 / error * 1.5, 0.2 / error / 1.5):
        prediction.depth_confidence = confidence
        losses.append(dense.confidence(prediction, truth, of=dense.depth, gamma=1.0, alpha=0.2).mean())
    assert losses[0] < min(losses[1:])


def test_truth_is_normalised_once_for_all_terms() -> None:
    calls = []

    def counted(clip: Clip) -> GeometryTruth:
        calls.append(clip)
        return normalised(clip)

    clip = _clip()
    loss = WeightedSum(TERMS, {"T": 5.0, "reg_depth": 2.0}, truth=counted)
    prediction = _perfect(normalised(clip))
    prediction.depth = normalised(clip).depth + 0.1
    found = loss(prediction, clip)
    assert len(calls) == 1
    assert found["reg_depth"].item() == pytest.approx(0.1, rel=1e-4)
    expected = sum({"T": 5.0, "reg_depth": 2.0}.get(name, 1.0) * found[name].item() for name in TERMS)
    assert found["total"].item() == pytest.approx(expected, rel=1e-5)


def test_what_is_missing_is_named() -> None:
    clip = _clip()
    with pytest.raises(ValueError, match="bear, car has no depth, camera_to_world; the loss needs data with depth"):
        normalised(dataclasses.replace(clip, depth=None, camera_to_world=None))
    truth = normalised(clip)
    for name, head in (("T", "pose"), ("reg_depth", "depth"), ("grad_point", "points")):
        with pytest.raises(ValueError, match=f'train with the head "{head}"'):
            TERMS[name](VGGTPrediction(), truth)
    with pytest.raises(ValueError, match='train with the head "confidence"'):
        dense.confidence(VGGTPrediction(depth=truth.depth), truth, of=dense.depth)


def test_tracks_that_nobody_sees_give_no_loss() -> None:
    positions = torch.rand(3, 1, 2, 5, 2, requires_grad=True)
    scores = torch.randn(1, 2, 5, requires_grad=True)
    found = track_losses(positions, scores, scores, torch.rand(1, 2, 5, 2), torch.zeros(1, 2, 5, dtype=torch.bool))
    found.total.backward()
    assert found.total == 0
    assert positions.grad is not None
