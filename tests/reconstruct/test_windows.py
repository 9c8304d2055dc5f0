"""Alignment in windows: plans, frozen frames, and no loss against the whole."""

import pytest
import torch

from motion4d.reconstruct.optimise import Descent
from motion4d.reconstruct.spanning_tree import initial_state, place_frames
from motion4d.reconstruct.windows import Window, descend_in_windows, window_plan
from tests.reconstruct.scenes import objective, pointmaps, scene
from tests.reference.procedures.monst3r_alignment import middle


@pytest.mark.parametrize(("frames", "size", "overlap"), [(10, 6, 3), (3, 6, 3), (6, 6, 1), (101, 10, 4), (7, 2, 1)])
def test_every_frame_is_free_exactly_once(frames, size, overlap):
    plan = window_plan(frames, size, overlap)
    free = [frame for window in plan for frame in range(window.free, window.stop)]
    assert free == list(range(frames))
    assert all(window.stop - window.start <= size for window in plan)
    assert all(window.free - window.start >= overlap for window in plan[1:])


def test_an_overlap_as_long_as_the_window_is_refused():
    with pytest.raises(ValueError, match="windows of 4 frames cannot overlap by 4"):
        window_plan(10, 4, 4)


def test_one_window_is_the_whole_and_frozen_frames_stay():
    room = scene(6, 12, 16)
    maps, pairs = pointmaps(room)
    start = initial_state(place_frames(maps, pairs, room.n, principal_point=middle(room)), maps, pairs)
    whole, descent = objective(room, maps, pairs), Descent(iterations=6)
    state, histories = descend_in_windows(whole, start, [Window(0, 0, 4), Window(1, 4, 6)], descent)
    alone, history = descend_in_windows(whole, start, [Window(0, 0, 4)], descent)
    assert torch.equal(state.log_depth[:4], alone.log_depth[:4])
    assert torch.equal(state.poses[:4], alone.poses[:4])
    assert torch.equal(state.focals, alone.focals)
    assert not torch.equal(state.poses[4:], start.poses[4:])
    assert histories[0].losses == history[0].losses


def test_windows_share_one_focal_length():
    room = scene(3, 12, 16)
    maps, pairs = pointmaps(room)
    placement = place_frames(maps, pairs, room.n, principal_point=middle(room))
    start = initial_state(placement, maps, pairs, shared_focal=False)
    with pytest.raises(ValueError, match="one focal length"):
        descend_in_windows(objective(room, maps, pairs), start, window_plan(3, 2, 1))
