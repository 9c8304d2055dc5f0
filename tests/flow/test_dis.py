"""Dense inverse search on textures that move by a known amount."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from motion4d.clip import Clip
from motion4d.flow.dis import DenseInverseSearch
from tests.flow.texture import moving_texture


@pytest.mark.parametrize("size", [(32, 32), (64, 33), (47, 90), (96, 64)])
def test_sign_axis_and_direction(size: tuple[int, int]) -> None:
    clip = moving_texture(*size, u=2, v=-1, batch=2)
    flow = DenseInverseSearch()(clip)
    assert flow.backward is not None
    for field, sign in ((flow.forward, 1), (flow.backward, -1)):
        assert field.shape == (2, 2, 2, *size)
        inside = field[..., 4:-4, 4:-4]
        truth = sign * torch.tensor([2.0, -1.0]).view(2, 1, 1)
        assert (inside - truth).abs().mean() < 0.1


def test_finer_scales_are_more_exact() -> None:
    clip = moving_texture(96, 128, u=3, v=1, frames=2)
    truth = torch.tensor([3.0, 1.0]).view(2, 1, 1)
    errors = [
        (DenseInverseSearch(finest_scale=scale)(clip).forward - truth)[..., 8:-8, 8:-8].abs().mean()
        for scale in (0, 1, 2)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_the_number_of_threads_does_not_matter() -> None:
    clip = moving_texture(40, 60, u=1, v=1, frames=4)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = DenseInverseSearch()(clip)
        torch.set_num_threads(2)
        two = DenseInverseSearch()(clip)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(one.forward, two.forward)


def test_a_small_frame_does_not_crash_a_coarse_search() -> None:
    flow = DenseInverseSearch(finest_scale=3)(moving_texture(16, 200, u=1, v=0, frames=2))
    assert torch.isfinite(flow.forward).all()


def test_one_frame_has_no_flow() -> None:
    flow = DenseInverseSearch()(Clip(images=torch.rand(2, 1, 3, 32, 40)))
    assert flow.forward.shape == (2, 0, 2, 32, 40)


def test_frames_below_the_limit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16x16, but these are 12x40"):
        DenseInverseSearch()(Clip(images=torch.rand(1, 2, 3, 12, 40)))


@pytest.mark.parametrize("settings", [{"patch_stride": 0}, {"finest_scale": -1}, {"patch_size": 8.5}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(settings))} must be a whole number of at least"):
        DenseInverseSearch(**settings)
