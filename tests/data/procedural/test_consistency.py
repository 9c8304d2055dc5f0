"""Depth, poses, intrinsics, flow, masks and pictures of procedural scenes tell one story."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from motion4d.clip import Clip, Source
from motion4d.data.procedural.dataset import ProceduralClips, render_clip
from motion4d.data.procedural.difficulty import Difficulty
from motion4d.data.procedural.parts import Scenery

SIZE = (64, 96)
MIXED = dataclasses.replace(Difficulty(), static_scene_share=0.25, stopping_share=0.5, near_objects=(1, 2))


def clips(difficulty: Difficulty = MIXED, *, count: int = 6, seed: int = 5) -> list[tuple[Scenery, Clip]]:
    dataset = ProceduralClips(count, 5, *SIZE, seed=seed, difficulty=difficulty)
    sceneries = [dataset.scenery(index) for index in range(count)]
    return [(s, render_clip(s, *SIZE, source=Source(sequence=s.name), motion_threshold_px=0.3)) for s in sceneries]


@pytest.fixture(scope="module")
def mixed() -> list[tuple[Scenery, Clip]]:
    return clips()


def pixels(clip: Clip) -> torch.Tensor:
    """[H, W, 3] homogeneous pixels."""
    height, width = clip.size
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([column, row, torch.ones_like(row)], -1).double()


def rigid_flow(clip: Clip, source: int, target: int) -> torch.Tensor:
    """[2, H, W] flow of a static world, from depth, poses and intrinsics alone."""
    matrix = clip.intrinsics[0, 0].double()
    points = pixels(clip) @ matrix.inverse().T * clip.depth[0, source, ..., None].double()
    poses = clip.camera_to_world[0].double()
    move = poses[target].inverse() @ poses[source]
    seen = (points @ move[:3, :3].T + move[:3, 3]) @ matrix.T
    return (seen[..., :2] / seen[..., 2:] - pixels(clip)[..., :2]).permute(2, 0, 1).float()


def sample(images: torch.Tensor, flow: torch.Tensor, mode: str = "bilinear") -> tuple[torch.Tensor, torch.Tensor]:
    """(images [C, H, W] at pixel + flow, whether that is inside the frame [H, W])."""
    height, width = images.shape[-2:]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = column + flow[0], row + flow[1]
    grid = torch.stack([x * 2 / (width - 1) - 1, y * 2 / (height - 1) - 1], -1)[None]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return F.grid_sample(images[None].float(), grid, mode=mode, align_corners=True)[0], inside


def test_depth_and_poses_give_the_flow_of_whatever_does_not_move(mixed):
    for _, clip in mixed:
        still = clip.instances[0] == 0
        for t in range(clip.num_frames - 1):
            error = (rigid_flow(clip, t, t + 1) - clip.flow.forward[0, t]).norm(dim=0)
            assert error[still[t]].max() < 0.02
            error = (rigid_flow(clip, t + 1, t) - clip.flow.backward[0, t]).norm(dim=0)
            assert error[still[t + 1]].max() < 0.02


def test_object_motion_completes_the_flow_of_moving_parts(mixed):
    """Depth -> world point -> the part's own transform -> next camera is the true flow."""
    checked = 0
    for scenery, clip in mixed:
        matrix = clip.intrinsics[0, 0].double().numpy()
        depth = clip.depth[0, 1].double().numpy()
        rays = pixels(clip).numpy() @ np.linalg.inv(matrix).T * depth[..., None]
        poses = scenery.camera_to_world
        world = rays @ poses[1, :3, :3].T + poses[1, :3, 3]
        predictions = []
        for part in scenery.parts:
            move = np.linalg.inv(poses[2]) @ part.local_to_world[2] @ np.linalg.inv(part.local_to_world[1])
            seen = (world @ move[:3, :3].T + move[:3, 3]) @ matrix.T
            predictions.append(seen[..., :2] / seen[..., 2:] - pixels(clip).numpy()[..., :2])
        error = np.linalg.norm(np.stack(predictions) - clip.flow.forward[0, 1].permute(1, 2, 0).numpy(), axis=-1)
        moving = clip.motion[0, 1].numpy()
        assert error.min(0).max() < 0.02  # some part explains each pixel
        checked += int(moving.sum())
    assert checked > 100


def test_forward_and_backward_flow_undo_each_other_where_both_see_the_point(mixed):
    for _, clip in mixed:
        for t in range(clip.num_frames - 1):
            there = clip.flow.forward[0, t]
            back, inside = sample(clip.flow.backward[0, t], there)
            same, _ = sample(clip.instances[0, t + 1][None], there, "nearest")
            visible = inside & (same[0] == clip.instances[0, t])
            error = (there + back).norm(dim=0)[visible]
            assert error.median() < 0.02
            assert (error < 0.5).float().mean() > 0.85  # the rest is occluded, or beside an edge


def test_pictures_follow_the_flow_when_light_and_lens_are_perfect():
    for _, clip in clips(MIXED.without_photography(), count=4):
        warped, inside = sample(clip.images[0, 2], clip.flow.forward[0, 1])
        error = (warped - clip.images[0, 1]).abs().mean(0)[inside]
        shuffled = (clip.images[0, 1].flip(-1) - clip.images[0, 1]).abs().mean()
        assert error.median() < 0.03
        assert error.median() < 0.5 * shuffled


def test_the_first_camera_is_the_world_and_poses_are_rigid(mixed):
    for _, clip in mixed:
        poses = clip.camera_to_world[0]
        torch.testing.assert_close(poses[0], torch.eye(4), atol=1e-6, rtol=0)
        rotation = poses[:, :3, :3]
        torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=1e-5, rtol=0)
        assert clip.intrinsics[0, 0, 0, 2] == (SIZE[1] - 1) / 2


def test_everything_is_finite_and_in_range(mixed):
    for _, clip in mixed:
        assert clip.depth.isfinite().all()
        assert clip.depth.min() > 0
        assert clip.flow.forward.isfinite().all()
        assert clip.flow.backward.isfinite().all()
        assert clip.images.min() >= 0
        assert clip.images.max() <= 1


def test_another_frame_size_shows_the_same_scene():
    small = ProceduralClips(3, 3, 32, 48, seed=2)[1]
    large = ProceduralClips(3, 3, 64, 96, seed=2)[1]
    torch.testing.assert_close(small.camera_to_world, large.camera_to_world, atol=1e-4, rtol=0)
    ratio = (large.depth[..., ::2, ::2] / small.depth).log().abs()
    assert ratio.median() < 0.05
