"""GeoMotion's fusion: windows give what whole frames give, and special tokens pass by."""

import pytest
import torch

from motion4d.models.motion_fusion import MotionFusion, centre_windows, full_resolution_flow_features


def _fusion(**settings) -> MotionFusion:
    return MotionFusion(6, 10, 4, 12, **settings)


@pytest.mark.parametrize("patch_size", [8, 10, 14, 16])
@pytest.mark.parametrize("flow_in", [1, 2])
@pytest.mark.parametrize("grid", [(1, 1), (3, 5)])
def test_windows_equal_whole_frames(patch_size: int, flow_in: int, grid: tuple[int, int]) -> None:
    fusion = _fusion(patch_size=patch_size, flow_in=flow_in)
    flow = 12 * torch.rand(2, flow_in, grid[0] * patch_size, grid[1] * patch_size)
    windowed, whole = fusion.flow_features(flow), full_resolution_flow_features(fusion, flow)
    assert windowed.shape == (2, grid[0] * grid[1], 128)
    assert (windowed - whole).abs().max() < 1e-5


def test_windows_give_the_same_gradients() -> None:
    fusion, flow = _fusion(), 12 * torch.rand(1, 1, 28, 42)
    parameters = list(fusion.flow_encoder.parameters())
    windowed = torch.autograd.grad(fusion.flow_features(flow).square().mean(), parameters)
    whole = torch.autograd.grad(full_resolution_flow_features(fusion, flow).square().mean(), parameters)
    for ours, theirs in zip(windowed, whole, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5, rtol=1e-4)


def test_windows_stand_around_patch_centres() -> None:
    rows = torch.arange(28.0)[:, None].expand(28, 28)[None, None]
    windows = centre_windows(rows, 14)
    assert windows.shape == (1, 4, 1, 8, 8)
    assert windows[0, 2, 0, :, 0].tolist() == list(range(17, 25))


def test_special_tokens_see_neither_flow_nor_camera() -> None:
    fusion = _fusion(patch_size=8)
    low, high, camera = (torch.randn(2, 3 + 6, dim) for dim in (6, 10, 4))
    flow = torch.rand(2, 1, 16, 24)
    before = fusion(low, high, camera, flow, special=3)
    after = fusion(low, high, camera + 1, flow * 9, special=3)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])
    assert torch.equal(before[:, :3], fusion.feature_proj(torch.cat((low, high), -1))[:, :3])


@pytest.mark.parametrize("patch_size", [6, 7, 15])
def test_patches_without_a_window_are_refused(patch_size: int) -> None:
    with pytest.raises(ValueError, match="even patch size"):
        _fusion(patch_size=patch_size)


def test_flow_of_a_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="patches of 14"):
        _fusion().flow_features(torch.zeros(1, 1, 30, 28))
