"""Views and recordings of clips with depth and cameras: what training sees is still a world seen by cameras."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.data.geometry_views import GeometryViews
from motion4d.data.procedural.dataset import ProceduralClips
from motion4d.data.procedural.difficulty import Difficulty
from motion4d.data.recorded import Recorded
from motion4d.geometry.poses import se3, se3_inverse
from motion4d.geometry.projection import project, transform_points, unproject
from motion4d.geometry.quaternions import rotation_from_quaternion


class Hill:
    """Clip k: the surface z = 4 + x / 2 of one world, seen by cameras that move; images show the world's x."""

    identity = "hill"

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Clip:
        generator = torch.Generator().manual_seed(index)
        turns = torch.randn(1, 9, 4, generator=generator) * 0.05 + torch.tensor([0.0, 0, 0, 1])
        poses = se3(rotation_from_quaternion(turns), torch.randn(1, 9, 3, generator=generator) * 0.2)
        intrinsics = torch.tensor([[30.0, 0, 17], [0, 30, 9], [0, 0, 1]]).repeat(1, 9, 1, 1)
        rays = unproject(torch.ones(1, 9, 20, 32), intrinsics)
        directions = transform_points(poses, rays) - poses[..., None, None, :3, 3]
        origin = poses[..., None, None, :3, 3]
        depth = (4 + origin[..., 0] / 2 - origin[..., 2]) / (directions[..., 2] - directions[..., 0] / 2)
        points = transform_points(poses, rays * depth.unsqueeze(-1))
        images = (points[..., 0] / 20 + 0.5)[:, :, None].expand(-1, -1, 3, -1, -1).clone()
        motion = torch.zeros(1, 9, 20, 32, dtype=torch.bool)
        return Clip(images, motion, depth=depth, camera_to_world=poses, intrinsics=intrinsics, sources=(Source(),))


def test_every_view_is_of_one_rigid_world() -> None:
    views = GeometryViews(Hill(), num_frames=3, largest_step=4, colour=0.0)
    seen, compared = set(), 0
    for number in range(30):
        torch.manual_seed(number)
        view = views[number % 2]
        assert view.depth is not None
        assert view.camera_to_world is not None
        assert view.intrinsics is not None
        points = transform_points(view.camera_to_world, unproject(view.depth, view.intrinsics))
        x, z = points[..., 0], points[..., 2]
        slope = 1 if (z - 4 - x / 2).abs().max() < 1e-3 else -1
        torch.testing.assert_close(z, 4 + slope * x / 2, atol=1e-3, rtol=0)
        torch.testing.assert_close(view.images[:, :, 0], slope * x / 20 + 0.5, atol=1e-4, rtol=0)
        # what the first frame sees lies where the second says it lies
        moved = transform_points(se3_inverse(view.camera_to_world[:, 1]), points[:, 0])
        pixel = project(moved, view.intrinsics[:, 1])[0, 10, 16].round().long()
        if 0 <= pixel[0] < 32 and 0 <= pixel[1] < 20:
            assert view.depth[0, 1, pixel[1], pixel[0]] == pytest.approx(moved[0, 10, 16, 2].item(), rel=0.05)
            compared += 1
        true = Hill()[number % 2].camera_to_world
        heights = [int((true[0, :, 1, 3] - y).abs().argmin()) for y in view.camera_to_world[0, :, 1, 3]]
        steps = {heights[1] - heights[0], heights[2] - heights[1]}
        assert len(steps) == 1
        seen.add((slope, *steps))
    assert compared > 20
    assert {slope for slope, _ in seen} == {-1, 1}
    assert {step for _, step in seen} == {-4, -3, -2, -1, 1, 2, 3, 4}


def test_far_depth_is_unknown_and_short_clips_are_taken_whole() -> None:
    view = GeometryViews(Hill(), num_frames=20, largest_step=3, max_depth=4.0)[0]
    assert view.num_frames == 9
    assert view.depth is not None
    assert view.valid is not None
    assert torch.equal(view.valid, view.depth <= 4)
    assert view.valid.any()
    assert not view.valid.all()


def test_clips_without_cameras_are_an_error() -> None:
    class Blind(Hill):
        def __getitem__(self, index: int) -> Clip:
            return dataclasses.replace(super().__getitem__(index), camera_to_world=None)

    with pytest.raises(ValueError, match="clip 1 has no depth or no cameras"):
        GeometryViews(Blind(), num_frames=2)[1]


def test_a_recording_keeps_geometry_if_asked_to(tmp_path: Path) -> None:
    clips = ProceduralClips(1, num_frames=2, height=32, width=48, difficulty=Difficulty())
    truth = clips[0]
    assert Recorded(clips, tmp_path)[0].depth is None
    kept = Recorded(clips, tmp_path, geometry=True)
    for again in (kept[0], kept[0]):  # made, then read
        torch.testing.assert_close(again.depth, truth.depth, atol=0, rtol=1e-3)
        assert torch.equal(again.camera_to_world, truth.camera_to_world)
        assert torch.equal(again.intrinsics, truth.intrinsics)
    assert len(list(tmp_path.rglob("*.npz"))) == 2
