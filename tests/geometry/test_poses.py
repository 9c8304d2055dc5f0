"""Rigid motions and the nearest rotation: inverses, determinants, a gradient that survives equal singular values."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion4d.geometry.poses import nearest_rotation, relative_to_first, rotation_from_9, se3, se3_inverse


def random_poses(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(*shape, 12, generator=generator, dtype=dtype)
    return se3(rotation_from_9(numbers[..., :9]), numbers[..., 9:])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_inverse_and_relative_poses(seed):
    poses = random_poses(2, 4, seed=seed)
    assert torch.allclose(se3_inverse(poses) @ poses, torch.eye(4, dtype=poses.dtype).expand_as(poses), atol=1e-9)
    relative = relative_to_first(poses)
    assert torch.allclose(relative[:, 0], torch.eye(4, dtype=poses.dtype).expand(2, 4, 4), atol=1e-9)
    # the choice of the common frame is forgotten
    assert torch.allclose(relative_to_first(random_poses(1, 1, seed=seed + 1) @ poses), relative, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_nearest_rotation_is_a_rotation_and_keeps_rotations(seed):
    matrix = torch.randn(8, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rotation = nearest_rotation(matrix)
    identity = torch.eye(3, dtype=matrix.dtype)
    assert torch.allclose(rotation @ rotation.mT, identity.expand_as(rotation), atol=1e-9)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(8, dtype=matrix.dtype), atol=1e-9)
    assert torch.allclose(nearest_rotation(rotation), rotation, atol=1e-9)


def test_gradient_of_nearest_rotation_is_right():
    matrix = torch.randn(6, 3, 3, dtype=torch.float64, requires_grad=True)
    assert (torch.linalg.det(matrix) < 0).any()
    assert torch.autograd.gradcheck(nearest_rotation, (matrix,))


def test_gradient_at_an_exact_rotation_is_finite():
    exact = torch.eye(3).flatten().requires_grad_()  # all singular values are equal
    target = random_poses(dtype=torch.float32)[:3, :3]
    (rotation_from_9(exact) - target).square().sum().backward()
    assert exact.grad is not None
    assert exact.grad.isfinite().all()
    assert exact.grad.abs().max() > 0.01
