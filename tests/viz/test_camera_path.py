"""Cameras as lines in space, and the picture of their path."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion4d.viz.camera_path import camera_path, frusta
from tests.geometry.test_poses import random_poses

SIZE = (24, 32)
MATRIX = np.array([[30.0, 0, 15.5], [0, 31, 11.5], [0, 0, 1]])


def test_a_frustum_ends_at_the_corners_of_the_image() -> None:
    pose = random_poses(1, seed=4).numpy()
    lines, colours = frusta(pose, MATRIX[None], SIZE, 2.0)
    assert lines.shape == colours.shape == (16, 3)
    local = (lines - pose[0, :3, 3]) @ pose[0, :3, :3]
    assert np.allclose(local[0:8:2], 0)
    assert np.allclose(local[1:8:2, 2], 2)
    ends = local[1:8:2] / 2 @ MATRIX.T
    np.testing.assert_allclose(ends[:, :2], [[-0.5, -0.5], [31.5, -0.5], [31.5, 23.5], [-0.5, 23.5]], atol=1e-9)
    assert {tuple(np.round(p, 6)) for p in local[8:]} == {tuple(np.round(p, 6)) for p in local[1:8:2]}


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("points", [0, 500])
def test_a_path_is_drawn_whatever_its_length(count: int, points: int) -> None:
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = np.linspace(0, 1, count)
    scene = torch.rand(points, 3, generator=torch.Generator().manual_seed(0)).numpy() + [0, 0, 3]
    colours = np.full((points, 3), 200, np.uint8)
    picture = camera_path(poses, np.tile(MATRIX, (count, 1, 1)), SIZE, scene, colours, "a walk")
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 1200
    panels = picture[60:]
    assert (panels.reshape(-1, 3).max(1) > 100).sum() > 30
    if count > 2:  # from above the path goes to the right, from dark to bright
        middle = panels[:, 440:860].max(2).astype(int)
        columns = np.flatnonzero((middle > 90).any(0))
        assert middle[:, columns[-20:]].max() > middle[:, columns[:20]].max()
