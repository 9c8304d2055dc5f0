"""Cameras: depth -> points -> pixels is a round trip, and intrinsics come back from their own rays."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import (
    intrinsics_from_rays,
    intrinsics_from_rays_free,
    pixel_grid,
    project,
    transform_points,
    unproject,
)
from tests.geometry.test_poses import random_poses

SIDES, FOCALS = st.integers(2, 9), st.floats(5, 500)


def camera(fx: float, fy: float, cx: float, cy: float) -> torch.Tensor:
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)


@settings(deadline=None, max_examples=25)
@given(SIDES, SIDES, FOCALS, FOCALS, st.floats(-3, 12), st.integers(0, 99))
def test_unproject_then_project(height, width, fx, fy, cx, seed):
    depth = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5
    intrinsics = camera(fx, fy, cx, 2.5).expand(2, 3, 3, 3)
    points = unproject(depth, intrinsics)
    assert torch.equal(points[..., 2], depth)
    pixels = project(points, intrinsics)
    assert torch.allclose(pixels, pixel_grid(height, width, like=depth).expand_as(pixels), atol=1e-8)


def test_intrinsics_come_back_from_their_rays():
    depth = torch.rand(2, 3, 7, 10, dtype=torch.float64) + 0.5
    centred, shifted = camera(31, 29, 4.5, 3).expand(2, 3, 3, 3), camera(31, 29, 2, 5).expand(2, 3, 3, 3)
    assert torch.allclose(intrinsics_from_rays(unproject(depth, centred)), centred)
    assert torch.allclose(intrinsics_from_rays_free(unproject(depth, shifted)), shifted)


def test_transform_points_goes_and_comes_back():
    poses, points = random_poses(2, 3), torch.randn(2, 3, 4, 5, 3, dtype=torch.float64)
    moved = transform_points(poses, points)
    expected = torch.einsum("bnij,bnhwj->bnhwi", poses[..., :3, :3], points) + poses[:, :, None, None, :3, 3]
    assert torch.allclose(moved, expected)
    assert torch.allclose(transform_points(se3_inverse(poses), moved), points)
    assert torch.allclose(transform_points(poses[:, 0], points[:, 0, 0]), moved[:, 0, 0])


def test_autocast_does_not_round_coordinates():
    poses, points = random_poses(1, dtype=torch.float32), 100 * torch.randn(1, 50, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(transform_points(poses, points), _plain(poses, points))


def _plain(poses: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", enabled=False):
        return transform_points(poses, points)
