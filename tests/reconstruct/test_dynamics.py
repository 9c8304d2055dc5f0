"""Dynamic masks and two-view cameras on scenes whose truth is known."""

import pytest
import torch

from motion4d.reconstruct.dynamics import moving_pixels
from motion4d.reconstruct.two_views import two_views
from tests.reconstruct.scenes import pointmaps, scene
from tests.reference.procedures.monst3r_alignment import flow_of, middle


def masks(of, maps, pairs, *, sigma: float = 0.1, **rule) -> torch.Tensor:
    flow, half = flow_of(of, pairs, {"sigma": sigma, "seed": 0}), len(pairs) // 2
    views = two_views(maps, pairs, principal_point=middle(of))
    return moving_pixels(views, flow[:half], flow[half:], of.n, principal_point=middle(of), **rule)


def test_the_ball_moves_and_the_room_does_not():
    room = scene(5)
    found, truth = masks(room, *pointmaps(room)), torch.from_numpy(room.ball)
    assert (found & truth).sum() > 0.9 * (found | truth).sum()


def test_where_nothing_moves_the_published_rule_sees_motion_and_ours_does_not():
    room = scene(5, ball=False)
    maps, pairs = pointmaps(room)
    assert not masks(room, maps, pairs).any()
    assert masks(room, maps, pairs, floor_px=0.0).any()


def test_exact_agreement_is_not_motion():
    room = scene(3, ball=False)
    maps, pairs = pointmaps(room, noise=0.0)
    views = two_views(maps, pairs, principal_point=middle(room))
    still = torch.zeros(len(views.pairs), 2, room.h, room.w)
    views.camera_to_world[:] = torch.eye(4)  # no camera motion, no flow: no error anywhere
    found = moving_pixels(views, still, still, 3, principal_point=middle(room), floor_px=0.0)
    assert found.float().mean() < 0.01 or not found.all()


def test_two_views_need_both_directions():
    room = scene(3)
    maps, pairs = pointmaps(room)
    with pytest.raises(ValueError, match="symmetric pairs"):
        two_views(maps, pairs[::-1][:3], principal_point=middle(room))
