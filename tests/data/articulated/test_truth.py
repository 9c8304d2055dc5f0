"""The truth is consistent: mask, depth, point, axis and trajectory tell one story."""

import numpy as np
import pytest
import torch

from motion4d.data.articulated.dataset import ProceduralParts
from motion4d.part import ROTATION, TRANSLATION

NUM = 16


@pytest.fixture(scope="module")
def queries():
    dataset = ProceduralParts(NUM, 96, 120, seed=5)
    return [dataset[index] for index in range(NUM)]


def test_both_kinds_of_motion_occur(queries):
    assert {query.truth.kind.item() for query in queries} == {TRANSLATION, ROTATION}


def test_the_point_lies_in_the_mask_where_its_trajectory_begins(queries):
    for query in queries:
        height, width = query.size
        column, row = (query.truth.point[0] * torch.tensor([width, height])).long().tolist()
        start = query.truth.trajectory[0, 0]
        assert query.truth.mask[0, row, column]
        assert start[2].item() == pytest.approx(query.depth[0, row, column].item(), rel=1e-5)
        projected = query.intrinsics[0] @ start
        assert (projected[:2] / projected[2]).tolist() == pytest.approx([column, row], abs=1e-2)
        assert query.truth.track[0, 0].tolist() == pytest.approx([column, row], abs=1e-2)
        assert query.truth.track_valid[0, 0]


def test_sliding_parts_run_straight_along_the_axis(queries):
    for query in queries:
        if query.truth.kind.item() == TRANSLATION:
            way = query.truth.trajectory[0] - query.truth.trajectory[0, 0]
            along = way @ query.truth.axis[0]
            torch.testing.assert_close(way, along[:, None] * query.truth.axis[0], atol=1e-5, rtol=0)
            steps = along.diff()
            assert steps.min() > 0
            torch.testing.assert_close(steps, steps.mean().expand_as(steps), atol=1e-5, rtol=0)


def test_turning_parts_keep_their_distance_from_the_axis_and_turn_by_the_right_hand(queries):
    for query in queries:
        if query.truth.kind.item() == ROTATION:
            arm = (query.truth.trajectory[0] - query.truth.origin[0]).double()
            axis = query.truth.axis[0].double()
            assert (arm @ axis).abs().max() < 1e-4  # the origin is the foot of the touched point
            radius = arm.norm(dim=1)
            assert radius[0] > 0.01
            torch.testing.assert_close(radius, radius[:1].expand_as(radius), atol=1e-4, rtol=0)
            turns = torch.linalg.cross(arm[:-1], arm[1:]) @ axis
            assert turns.min() > 0


def test_axes_are_unit_vectors_and_parts_come_towards_the_camera_or_are_pressed(queries):
    for query in queries:
        assert query.truth.axis[0].norm().item() == pytest.approx(1, abs=1e-5)
        if query.truth.kind.item() == TRANSLATION:
            towards = query.truth.axis[0, 2] < 0
            assert towards == query.texts[0].endswith("drawer")


def test_depth_is_metres_and_finite(queries):
    for query in queries:
        on_part = query.depth[0][query.truth.mask[0]]
        assert torch.isfinite(query.depth).all()
        assert on_part.min() > 0.2
        assert on_part.max() < 12
        assert np.median(on_part) < 8
