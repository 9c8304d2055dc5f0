"""Edges and normals on surfaces whose answer is known: a plane, a step, a roof."""

import pytest
import torch

from motion4d.geometry.pointmap_filters import (
    depth_edge,
    depth_normal_edge,
    export_mask,
    normal_edge,
    points_to_normals,
)
from motion4d.geometry.projection import unproject

INTRINSICS = torch.tensor([[20.0, 0, 9.5], [0, 20.0, 7.5], [0, 0, 1]])


def step() -> torch.Tensor:
    """Depth 1 on the left, 3 on the right."""
    depth = torch.ones(16, 20)
    depth[:, 10:] = 3
    return depth


def test_a_plane_has_no_edges_and_one_normal():
    points = unproject(torch.full((2, 16, 20), 2.0), INTRINSICS.expand(2, 3, 3))
    normals, known = points_to_normals(points)
    assert known.all()
    assert torch.allclose(normals, torch.tensor([0.0, 0, -1]).expand_as(normals), atol=1e-5)  # towards the camera
    assert not depth_edge(points[..., 2], atol=0.1, rtol=0.01).any()
    assert not depth_normal_edge(points).any()


def test_a_step_is_an_edge_only_beside_it():
    edge = depth_edge(step(), rtol=0.1)
    assert edge[:, 9:11].all()
    assert edge.sum() == 32
    assert depth_edge(step(), atol=1.0, kernel_size=5)[:, 8:12].all()


def test_masked_pixels_do_not_make_edges():
    mask = torch.ones(16, 20, dtype=torch.bool)
    mask[:, 10:] = False
    assert not depth_edge(step(), rtol=0.1, mask=mask)[:, :10].any()


def test_a_roof_bends_but_has_no_depth_edge():
    columns = torch.arange(20.0).expand(16, 20)
    points = unproject(2 + 0.05 * (columns - 9.5).abs(), INTRINSICS)
    normals, known = points_to_normals(points)
    bend = normal_edge(normals, mask=known)
    assert bend[:, 9:11].all()
    assert not bend[:, :5].any()
    assert not depth_normal_edge(points, rtol=0.1).any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_points_that_are_not_finite_have_no_normal_and_spoil_no_neighbour(bad):
    points = unproject(torch.full((16, 20), 2.0), INTRINSICS)
    points[5, 6] = bad
    normals, known = points_to_normals(points)
    assert not known[5, 6]
    assert normals.isfinite().all()
    assert known.sum() == 16 * 20 - 1


def test_export_keeps_sure_pixels_off_the_step():
    points = unproject(step(), INTRINSICS)
    confidence = torch.full((16, 20), 0.9)
    confidence[0] = 0.05
    keep = export_mask(points, confidence)
    assert not keep[0].any()
    assert not keep[2:, 9:11].any()
    assert keep[2:, :7].all()
