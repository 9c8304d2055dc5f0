"""Umeyama recovers a known similarity, and looks only where the weights allow."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion4d.geometry.alignment import Similarity, robust_umeyama, umeyama
from tests.geometry.test_poses import random_poses


def known(seed: int) -> Similarity:
    poses = random_poses(3, seed=seed)
    scale = torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 5 + 0.1
    return Similarity(scale, poses[:, :3, :3], poses[:, :3, 3])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_recovers_a_known_similarity_beside_masked_outliers(seed):
    truth = known(seed)
    source = torch.randn(3, 40, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    target = truth.apply(source)
    mask = torch.arange(40).expand(3, 40) < 30
    spoiled = torch.where(mask.unsqueeze(-1), target, 1e3)
    assert torch.allclose(umeyama(source, spoiled, mask).matrix, truth.matrix, atol=1e-8)
    assert torch.allclose(umeyama(source, target).apply(source), target, atol=1e-8)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31))
def test_wrong_points_hardly_pull_at_a_robust_alignment(seed):
    generator = torch.Generator().manual_seed(seed)
    truth = Similarity(*(part[0] for part in (known(seed).scale, known(seed).rotation, known(seed).translation)))
    source = torch.randn(300, 3, generator=generator, dtype=torch.float64)
    target = truth.apply(source)
    source[:120] = 1.7 * source[:120] + 0.5  # wrong in one and the same way
    fitted = robust_umeyama(source, target, torch.ones(300))
    assert torch.allclose(fitted.matrix, truth.matrix, atol=1e-8)
    noisy = target + 0.01 * truth.scale * torch.randn(300, 3, generator=generator, dtype=torch.float64)
    assert torch.allclose(robust_umeyama(source, noisy, torch.ones(300)).scale, truth.scale, rtol=5e-3)


def test_mirrored_points_still_give_a_rotation():
    source = torch.randn(1, 30, 3, dtype=torch.float64)
    fitted = umeyama(source, source * source.new_tensor([1, 1, -1]))
    assert torch.allclose(torch.linalg.det(fitted.rotation), source.new_ones(1))


def test_cameras_move_with_their_points():
    truth, cameras = known(4), random_poses(3, 2)
    moved = truth.move_cameras(cameras)
    assert torch.allclose(
        moved[..., :3, :3] @ moved[..., :3, :3].mT, torch.eye(3, dtype=moved.dtype).expand(3, 2, 3, 3)
    )
    assert torch.allclose(moved[..., :3, 3], truth.apply(cameras[..., :3, 3]))


def test_too_few_points_is_one_clear_sentence():
    mask = torch.zeros(1, 9, dtype=torch.bool)
    with pytest.raises(ValueError, match="at least 3 corresponding points, but only 0"):
        umeyama(torch.randn(1, 9, 3), torch.randn(1, 9, 3), mask)
