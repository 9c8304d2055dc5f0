"""Robust poses from pointmaps: exact views, outliers, planes, batches, too few points."""

import pytest
import torch

from motion4d.geometry.pnp import solve_pose
from motion4d.geometry.poses import se3, se3_inverse
from motion4d.geometry.projection import pixel_grid, transform_points, unproject
from motion4d.geometry.quaternions import rotation_from_quaternion

CENTRE = torch.tensor([20.0, 15.0])
FOCAL = 35.0


def cameras(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    turn = rotation_from_quaternion(torch.randn(count, 4, generator=generator))
    return se3(turn, torch.randn(count, 3, generator=generator))


def seen_by(poses: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """World points [B, P, 3] of depth maps [B, 30, 40]."""
    intrinsics = torch.tensor([[FOCAL, 0, CENTRE[0]], [0, FOCAL, CENTRE[1]], [0, 0, 1]]).expand(len(poses), 3, 3)
    return transform_points(poses, unproject(depth, intrinsics)).flatten(1, 2)


def solve(points: torch.Tensor, weights: torch.Tensor | None = None):
    pixels = pixel_grid(30, 40, like=points).reshape(-1, 2)
    weights = torch.ones_like(points[..., 0]) if weights is None else weights
    return solve_pose(points, pixels, weights, torch.full((len(points),), FOCAL), CENTRE)


def assert_same_pose(found: torch.Tensor, true: torch.Tensor, atol: float = 1e-4) -> None:
    assert torch.allclose(se3_inverse(true) @ found, torch.eye(4).expand_as(found), atol=atol)


@pytest.mark.parametrize("kind", ["hilly", "plane", "slanted plane"])
def test_exact_points_give_exact_poses_whatever_their_shape(kind):
    poses, depth = cameras(5), torch.full((5, 30, 40), 3.0)
    if kind == "hilly":
        depth += torch.rand(5, 30, 40, generator=torch.Generator().manual_seed(0)) * 2
    if kind == "slanted plane":
        depth = 1 / (1 / depth + torch.linspace(-0.1, 0.1, 40))
    fit = solve(seen_by(poses, depth))
    assert fit.found.all()
    assert_same_pose(fit.camera_to_world, poses)
    assert torch.allclose(fit.inliers, torch.ones(5))


def test_a_third_of_the_points_may_be_somewhere_else():
    poses, generator = cameras(4), torch.Generator().manual_seed(2)
    points = seen_by(poses, 3 + torch.rand(4, 30, 40, generator=generator))
    wrong = torch.rand(4, 1200, generator=generator) < 0.33
    # they moved together, as an object does, and for every camera by more than the bound
    sideways = (poses[:, :3, :3] @ torch.tensor([1.5, 0.5, -0.5])).unsqueeze(1)
    points = torch.where(wrong.unsqueeze(-1), points + sideways, points)
    fit = solve(points)
    assert_same_pose(fit.camera_to_world, poses)
    assert torch.allclose(fit.inliers, 1 - wrong.float().mean(1), atol=0.05)


def test_points_of_no_weight_do_not_count():
    poses = cameras(2)
    points = seen_by(poses, torch.rand(2, 30, 40, generator=torch.Generator().manual_seed(3)) + 2)
    weights = (torch.arange(1200) % 2).float().expand(2, -1)
    points[weights == 0] = 100.0
    assert_same_pose(solve(points, weights).camera_to_world, poses)


def test_too_few_points_are_not_found():
    points = seen_by(cameras(2), torch.full((2, 30, 40), 2.0))
    weights = torch.ones(2, 1200)
    weights[1, 3:] = 0
    fit = solve(points, weights)
    assert fit.found.tolist() == [True, False]
    assert torch.equal(fit.camera_to_world[1], torch.eye(4))
