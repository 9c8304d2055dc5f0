"""Crops and resizes move image, depth and intrinsics alike; the two pixel rules; points in a sparse map."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion4d.clip import Source
from motion4d.data.depth_limits import DepthLimits
from motion4d.data.training_views import TrainingViews, clip_of
from motion4d.data.view import PUBLISHED_CENTRE, View, around_principal_point, lanczos, resized, shaped
from motion4d.geometry.projection import unproject


def slanted(height: int = 40, width: int = 60, focal: float = 50.0, centre: tuple[float, float] = (29.5, 19.5)) -> View:
    """A camera before the plane z = 4 + x: its depth at (u, v) is 4 / (1 - (u - cx) / f); red is the column."""
    u = np.arange(width)
    depth = np.broadcast_to(4 / (1 - (u - centre[0]) / focal), (height, width)).astype(np.float32)
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 4 * u
    matrix = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    return View(image, matrix, depth)


def off_the_plane(view: View) -> float:
    """The largest distance of the view's points from z = 4 + x, parts of z."""
    points = unproject(torch.from_numpy(view.depth).double(), torch.from_numpy(view.intrinsics))
    return float(((points[..., 2] - 4 - points[..., 0]) / points[..., 2]).abs().max())


@pytest.mark.parametrize("size", [(40, 60), (20, 30), (14, 42), (80, 120)])
def test_points_stay_on_their_plane(size: tuple[int, int]) -> None:
    """A nearest sample lies at most half a source pixel beside the ray of its pixel."""
    view = shaped(slanted(), size, window=(30, 50), margin=4)
    assert view.size == size
    assert off_the_plane(view) < 0.5 / 50 / 0.4 + 1e-9


def test_odd_factors_are_exact_under_our_rule_and_shifted_under_the_published_one() -> None:
    """Every third pixel's centre is a pixel's centre again; the published rule takes its left neighbour, and moves the
    principal point with it, but not the image."""
    view = slanted(39, 60)
    ours, published = resized(view, (13, 20)), resized(view, (13, 20), centre=PUBLISHED_CENTRE)
    assert np.array_equal(ours.depth, view.depth[1::3, 1::3])
    assert np.array_equal(published.depth, view.depth[::3, ::3])
    assert off_the_plane(ours) < 1e-6
    assert off_the_plane(published) < 1e-6
    assert np.abs(ours.image[:, 2:-2, 0].astype(int) - view.image[1::3, 7:-5:3, 0]).max() <= 1
    assert ours.intrinsics[0, 2] == pytest.approx((29.5 + 0.5) / 3 - 0.5)
    assert published.intrinsics[0, 2] == pytest.approx(29.5 / 3)


@pytest.mark.parametrize("centre", [(29.5, 19.5), (15.0, 38.0), (58.0, 1.0)])
def test_a_crop_holds_the_principal_point_as_near_its_middle_as_can_be(centre: tuple[float, float]) -> None:
    view = around_principal_point(slanted(centre=centre), (20, 30))
    assert view.size == (20, 30)
    assert off_the_plane(view) < 1e-6
    x, y = view.intrinsics[0, 2], view.intrinsics[1, 2]
    assert abs(x - 15) <= max(1, abs(centre[0] - 29.5) - 15 + 0.5)
    assert abs(y - 10) <= max(1, abs(centre[1] - 19.5) - 10 + 0.5)


def test_a_window_larger_than_the_view_is_the_view() -> None:
    assert around_principal_point(slanted(), (100, 50)).size == (40, 50)


def test_sparse_points_survive_where_samples_would_miss_them() -> None:
    view = slanted()
    points = np.zeros_like(view.depth)
    points[3, 8], points[3, 9], points[31, 50] = 5, 2, 9
    small = resized(View(view.image, view.intrinsics, points), (10, 15), sparse=True)
    assert sorted(small.depth[small.depth > 0].tolist()) == [2, 9]
    assert small.depth[0, 2] == 2  # both round to it, and 2 is nearer than the 5 beside it


def test_lanczos_keeps_constants_and_sizes() -> None:
    flat = np.full((9, 7, 3), 201, np.uint8)
    assert np.array_equal(lanczos(flat, (23, 4)), np.full((23, 4, 3), 201, np.uint8))


def test_random_windows_differ_between_frames_and_stay_consistent() -> None:
    views = TrainingViews(window=(0.5, 1.2), margin=2)([slanted(focal=80.0) for _ in range(6)], (28, 42))
    assert len({round(float(view.intrinsics[0, 0]), 3) for view in views}) > 2
    assert all(off_the_plane(view) < 0.5 / 80 / 0.6 + 1e-9 for view in views)


def test_without_a_valid_pixel_in_the_first_frame_nothing_is_valid() -> None:
    view = slanted()
    empty = View(view.image, view.intrinsics, np.full_like(view.depth, np.nan))
    poses = np.stack([np.eye(4)] * 2)
    for views, share in (([view, empty], 0.5), ([empty, view], 0.0)):
        clip = clip_of(views, poses, Source())
        assert clip.valid is not None
        assert clip.depth is not None
        assert float(clip.valid.float().mean()) == share
        assert clip.depth.isfinite().all()


def test_limits_remove_what_is_not_finite() -> None:
    depth = np.array([[1.0, np.inf], [np.nan, 2.0]], np.float32)
    assert DepthLimits(None, None)(depth).tolist() == [[1, 0], [0, 2]]
    assert DepthLimits(None, None, 1.5)(depth).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("wrong", [{"max_percentile": 0.5}, {"min_percentile": -1}, {"max_depth": 0}])
def test_nonsensical_limits(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must rise within 0 to 100"):
        DepthLimits(**wrong)
