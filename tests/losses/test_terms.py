"""Loss terms: the reference cases, valid pixels, saturated logits, clear errors."""

import pytest
import torch

from motion4d.clip import Clip, Motion, Source
from motion4d.losses.compose import WeightedSum
from motion4d.losses.consistency import apparent_motion, consistency
from motion4d.losses.segmentation import bce, dice, focal
from tests.reference.pytest_cases import cases_of, check


def _pair(frames: int = 2, **truth) -> tuple[Motion, Clip]:
    motion = torch.rand(1, frames, 4, 6) > 0.5
    return Motion(torch.randn(1, frames, 4, 6)), Clip(torch.zeros(1, frames, 3, 4, 6), motion=motion, **truth)


@pytest.mark.parametrize("case", cases_of("geomotion", kinds=["losses", "losses_valid_mask", "loss_gradient"]))
def test_reference(case) -> None:
    check(case)


@pytest.mark.parametrize("term", [bce, dice, focal])
def test_invalid_pixels_do_not_matter(term) -> None:
    valid = torch.rand(1, 2, 4, 6) > 0.5
    prediction, clip = _pair(valid=valid)
    changed = Motion(torch.where(valid, prediction.logits, -prediction.logits))
    assert torch.equal(term(prediction, clip), term(changed, clip))


def test_a_saturated_wrong_pixel_still_has_a_gradient() -> None:
    _, clip = _pair()
    logits = torch.full((1, 2, 4, 6), 200.0, requires_grad=True)
    bce(Motion(logits), clip).mean().backward()
    assert torch.equal(logits.grad > 0, ~clip.motion)


def test_half_precision_logits_are_computed_in_float32() -> None:
    prediction, clip = _pair()
    assert bce(Motion(prediction.logits.bfloat16()), clip).dtype == torch.float32


def test_a_clip_without_a_mask_is_named() -> None:
    clip = Clip(torch.zeros(1, 2, 3, 4, 6), sources=(Source(sequence="bear"),))
    with pytest.raises(ValueError, match="bear has no motion mask"):
        bce(Motion(torch.zeros(1, 2, 4, 6)), clip)


def test_a_static_world_under_a_moving_camera_is_consistent_with_no_motion() -> None:
    poses = torch.eye(4).repeat(1, 2, 1, 1)
    poses[:, 1, 2, 3] = 1.0
    points = torch.randn(1, 1, 4, 6, 3).expand(1, 2, 4, 6, 3)
    assert not apparent_motion(points, poses).any()


def test_consistency_reads_the_clips_geometry_and_skips_unknown_depth() -> None:
    depth = torch.full((1, 2, 4, 6), 3.0)
    depth[0, 1, :2] = torch.inf
    eye = torch.eye(3).repeat(1, 2, 1, 1)
    poses = torch.eye(4).repeat(1, 2, 1, 1)
    poses[:, 1, 2, 3] = 1.0
    prediction, clip = _pair(depth=depth, intrinsics=eye, camera_to_world=poses)
    values = consistency(prediction, clip)
    assert not values[0, 1, :2].any()
    # points one unit further at the same pixel: apparent motion as large as the camera's
    assert torch.allclose(values[0, 1, 2:], (1 - prediction.probabilities[0, 1, 2:]) ** 2, atol=1e-5)
    with pytest.raises(ValueError, match="true depth, intrinsics, camera_to_world"):
        consistency(*_pair())


def test_weighted_sum() -> None:
    prediction, clip = _pair()
    values = WeightedSum({"bce": bce, "dice": dice}, {"dice": 2.0})(prediction, clip)
    assert list(values) == ["total", "bce", "dice"]
    assert values["total"] == values["bce"] + 2 * values["dice"]
    with pytest.raises(ValueError, match="weights of no term: dise"):
        WeightedSum({"bce": bce}, {"dise": 2.0})
