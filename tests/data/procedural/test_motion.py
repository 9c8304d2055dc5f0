"""What counts as moving: the camera never does, still objects never do, stopped ones not while they stand."""

import dataclasses

import numpy as np
import pytest
import torch

from motion4d.clip import Source
from motion4d.data.procedural import draws, transforms
from motion4d.data.procedural.dataset import ProceduralClips, render_clip
from motion4d.data.procedural.difficulty import Difficulty
from motion4d.data.procedural.parts import Look, Part, Scenery
from motion4d.data.procedural.shapes import Box, Dome, Ellipsoid

SIZE = (48, 64)
FOCAL = 60.0


def scene(*things: np.ndarray, cameras: np.ndarray) -> Scenery:
    """Balls of radius 0.5 at places [N, 3] in front of a far sky."""
    num_frames = len(cameras)
    look = Look(np.array([0, -1.0, 0]), 1.0, np.ones(num_frames), 0.0, 0.0, 0.0, 0)
    sky = np.broadcast_to(transforms.scaling([100.0] * 3), (num_frames, 4, 4))
    parts = [Part(Dome(), sky, np.full(3, 100.0), 0, 0.5)]
    for number, places in enumerate(things, start=1):
        way = transforms.translation(places) @ transforms.scaling([0.5] * 3)
        parts.append(Part(Ellipsoid(), way, np.full(3, 0.5), 0, 50.0, number))
    textures = np.random.default_rng(0).random((1, 128, 128, 3), dtype=np.float32)
    return Scenery("balls", transforms.translation(cameras), FOCAL, tuple(parts), textures, (), look)


def render(scenery: Scenery):
    return render_clip(scenery, *SIZE, source=Source(), motion_threshold_px=0.3)


def still(x: float, num_frames: int = 5) -> np.ndarray:
    return np.tile([x, 0.0, 4.0], (num_frames, 1))


def test_a_ball_that_crosses_the_picture_of_a_camera_at_rest():
    ball = still(0.0) + np.arange(5)[:, None] * np.array([0.2, 0, 0])
    clip = render(scene(ball, cameras=np.zeros((5, 3))))
    flow = clip.flow.forward[0, 0]
    moving = clip.motion[0, 0]
    assert moving.any()
    assert (flow.norm(dim=0)[~moving] < 1e-3).all()
    expected = FOCAL * 0.2 / 3.5  # at the ball's nearest point
    assert flow[0][moving].max() == pytest.approx(expected, rel=0.02)
    centre = (SIZE[1] - 1) / 2
    columns = moving.nonzero()[:, 1].float()
    assert columns.mean() == pytest.approx(centre, abs=0.6)


def test_only_the_ball_that_moves_is_marked_however_the_camera_moves():
    ball = still(-0.8) + np.arange(5)[:, None] * np.array([0, 0.1, 0])
    cameras = np.arange(5)[:, None] * np.array([0.15, 0, 0.1])
    clip = render(scene(ball, still(0.8), cameras=cameras))
    assert clip.instances.unique().tolist() == [0, 1]
    assert torch.equal(clip.motion, clip.instances == 1)
    other = clip.depth[0, 0] < 10
    other &= ~clip.motion[0, 0]
    assert other.any()
    assert clip.flow.forward[0, 0].norm(dim=0)[other].min() > 0.5


def test_a_ball_that_the_camera_follows_moves_although_it_rests_in_the_picture():
    path = np.arange(5)[:, None] * np.array([0.3, 0, 0])
    clip = render(scene(still(0.0) + path, cameras=path))
    moving = clip.motion[0]
    assert moving.flatten(1).any(1).all()
    assert clip.flow.forward[0].norm(dim=1)[moving[:-1]].max() < 1e-3


def test_a_ball_that_stops_is_not_moving_while_it_stands():
    way = np.array([0.0, 0.2, 0.4, 0.4, 0.4])
    clip = render(scene(still(0.0) + way[:, None] * np.array([1.0, 0, 0]), cameras=np.zeros((5, 3))))
    assert clip.motion[0].flatten(1).any(1).tolist() == [True, True, True, False, False]
    assert (clip.instances[0] == 1).flatten(1).any(1).all()


def test_motion_too_small_to_see_is_none():
    ball = still(0.0) + np.arange(5)[:, None] * np.array([0.01, 0, 0])
    clip = render(scene(ball, cameras=np.zeros((5, 3))))
    assert not clip.motion.any()
    assert not clip.instances.any()


def test_static_scenes_move_only_by_the_camera_and_say_so():
    dataset = ProceduralClips(6, 4, *SIZE, seed=1, difficulty=dataclasses.replace(Difficulty(), static_scene_share=0.5))
    assert [dataset.is_static_scene(k) for k in range(6)] == [False, True] * 3
    for index in range(6):
        clip = dataset[index]
        is_static = clip.sources[0].sequence.endswith("static_scene")
        assert is_static == dataset.is_static_scene(index)
        if is_static:
            assert not clip.motion.any()
            assert clip.flow.forward.norm(dim=2).max() > 0.2
        else:
            assert clip.motion.float().mean() >= 0.01


def test_sixths_are_spread_evenly_and_exactly():
    dataset = ProceduralClips(48, difficulty=dataclasses.replace(Difficulty(), static_scene_share=0.166667))
    assert sum(map(dataset.is_static_scene, range(48))) == 8


def test_activity_is_exactly_zero_while_something_stands_still():
    stands = [(draws.activity(np.random.default_rng(seed), 20) == 0).any() for seed in range(20)]
    assert np.mean(stands) > 0.8


def test_one_frame_has_no_motion_and_no_flow():
    clip = ProceduralClips(1, 1, *SIZE)[0]
    assert clip.flow.forward.shape == (1, 0, 2, *SIZE)
    assert not clip.motion.any()


def test_a_box_turned_away_is_met_on_the_right_side():
    box = transforms.translation([0, 0, 5.0]) @ transforms.turn(1, np.pi / 4)
    base = scene(cameras=np.zeros((1, 3)))
    part = Part(Box(), box[None], np.ones(3), 0, 20.0, 1)
    clip = render(dataclasses.replace(base, parts=(*base.parts, part)))
    nearest = clip.depth[0, 0].min()
    assert nearest == pytest.approx(5 - np.sqrt(2), abs=0.05)
