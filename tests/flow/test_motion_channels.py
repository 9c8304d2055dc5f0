"""Flow as further channels of images: which frame, which direction, which unit."""

from __future__ import annotations

import torch

from motion4d.clip import Clip, Flow
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.motion_channels import MotionChannels
from tests.flow.texture import moving_texture


def test_the_next_the_previous_and_the_first_frame() -> None:
    clip = moving_texture(64, 96, u=3, v=-1, frames=4)
    flow = MotionChannels(DenseInverseSearch(finest_scale=0))(clip.images) * (0.05 * 96)
    inside = flow[0, :, :, 16:-16, 24:-24].mean((2, 3))
    expected = torch.tensor([[3.0, -1, 0, 0, 0, 0], [3, -1, -3, 1, -3, 1], [3, -1, -3, 1, -6, 2], [0, 0, -3, 1, -9, 3]])
    torch.testing.assert_close(inside, expected, atol=0.2, rtol=0)


def test_every_video_of_a_batch_has_its_own_first_frame() -> None:
    def brightness(clip: Clip) -> Flow:
        level = clip.images.mean((2, 3, 4))
        change = (level[:, 1:] - level[:, :-1])[:, :, None, None, None].expand(-1, -1, 2, *clip.size)
        return Flow(change, -change)

    levels = torch.tensor([[0.1, 0.2, 0.5], [0.9, 0.3, 0.4]])
    images = levels[:, :, None, None, None].expand(-1, -1, 3, 8, 20)
    to_first = MotionChannels(brightness)(images)[:, :, 4, 0, 0]  # a twentieth of 20 pixels: the unit is 1
    torch.testing.assert_close(to_first, levels[:, :1] - levels, atol=1e-6, rtol=0)


def test_a_single_frame_has_no_motion() -> None:
    assert MotionChannels(DenseInverseSearch())(torch.rand(2, 1, 3, 32, 32)).abs().max() == 0
