"""MonST3R's preprocessing as framings: published sizes and pixels, and the way back."""

import pytest
import torch

from motion4d.framing import LongSide, ShortSide
from motion4d.geometry.projection import project
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=["preprocess_size", "preprocess_pixels"]))
def test_reference(case: Case):
    check(case)


@pytest.mark.parametrize("rule", [LongSide(64), LongSide(64, crop=False), ShortSide(32)])
@pytest.mark.parametrize("size", [(90, 131), (131, 90), (100, 100)])
def test_a_point_is_seen_at_the_pixel_that_the_framed_intrinsics_say(rule, size):
    framing = rule(*size)
    native = torch.tensor([[110.0, 0, (size[1] - 1) / 2], [0, 110.0, (size[0] - 1) / 2], [0, 0, 1]])
    v, u = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    framed_u, framed_v = framing.values(torch.stack((u, v)).float())
    rays = torch.stack(
        ((framed_u - native[0, 2]) / 110, (framed_v - native[1, 2]) / 110, torch.ones_like(framed_u)), -1
    )
    seen = project(rays, framing.intrinsics(native))
    inner = (slice(2, -2), slice(2, -2))
    v, u = torch.meshgrid(torch.arange(framing.size[0]), torch.arange(framing.size[1]), indexing="ij")
    assert torch.allclose(seen[inner], torch.stack((u, v), -1).float()[inner], atol=0.02)
    assert torch.allclose(framing.undo_intrinsics(framing.intrinsics(native)), native, atol=1e-3)


@pytest.mark.parametrize("rule", [LongSide(64), LongSide(64, crop=False), ShortSide(32)])
def test_masks_and_depth_come_back_where_they_were(rule):
    framing = rule(90, 131)
    depth = torch.linspace(1, 2, 90)[:, None].expand(90, 131) + torch.linspace(0, 1, 131)
    back = framing.undo_values(framing.values(depth))
    assert back.shape == (90, 131)
    assert torch.allclose(back[20:70, 40:90], depth[20:70, 40:90], atol=0.02)
    mask = depth > 2
    assert (framing.undo_labels(framing.labels(mask)) == mask)[20:70, 40:90].float().mean() > 0.97


def test_frames_too_narrow_for_a_patch_are_refused():
    with pytest.raises(ValueError, match="too narrow"):
        LongSide(512)(10, 2000)
