"""The small head: any backbone, any size, the promised shape, and motion that is only in the flow is found."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import torch
from torch import Tensor

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.pi3 import Pi3
from motion4d.clip import Clip, Flow, Geometry
from motion4d.framing import Native
from motion4d.models.flow_pyramid import FlowPyramidHead, motion_input
from motion4d.models.geomotion import GeoMotion


class Patches(Backbone):
    """A backbone that is not Pi3: patch means as tokens, patches of 14, one special token."""

    patch_size = 14
    special_tokens = 1

    @property
    def available_taps(self) -> dict[str, int]:
        return {"decoder_0": 3, "decoder_1": 3}

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        self.check_request(images, heads, taps)
        tokens = torch.nn.functional.avg_pool2d(images.flatten(0, 1), 14).flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.new_zeros(len(tokens), 1, 3), tokens], 1).unflatten(0, images.shape[:2])
        return Geometry(tokens=dict.fromkeys(taps, tokens))


def _clip(frames: int, height: int, width: int) -> Clip:
    clip = Clip(torch.rand(2, frames, 3, height, width))
    shape = (2, frames - 1, 2, height, width)
    clip.estimated_flow = Flow(torch.randn(shape), torch.randn(shape))
    return clip


def _head(backbone: Backbone) -> FlowPyramidHead:
    return FlowPyramidHead(backbone, channels=(8, 16, 16, 32), depth=1, heads=2)


@pytest.mark.parametrize(("height", "width"), [(28, 42), (70, 56), (112, 112)])
def test_any_backbone_and_size(height: int, width: int) -> None:
    model = GeoMotion(Patches(), _head, None, Native(14))
    assert model(_clip(3, height, width)).logits.shape == (2, 3, height, width)


def test_gradients_reach_backbone_and_head() -> None:
    backbone = Pi3(dim=32, encoder_depth=1, encoder_heads=2, decoder_depth=2, decoder_heads=2, patch_size=16, heads=())
    model = GeoMotion(backbone, _head, None, Native(16), freeze_backbone=False)
    model(_clip(2, 32, 48)).logits.square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    # the trunk's encoder class and register tokens only steer attention; everything else must learn
    assert not [name for name in without if not name.startswith("backbone.encoder.")]


def test_backbone_without_trunk_is_a_capability_error() -> None:
    with pytest.raises(CapabilityError, match="offers no token taps"):
        _head(Backbone())


def test_single_frame_has_no_motion_input() -> None:
    clip = _clip(1, 32, 32)
    assert clip.estimated_flow is not None
    seen = motion_input(clip.images, clip.estimated_flow)
    assert seen[:, 3:].abs().max() == 0


def test_camera_motion_alone_is_almost_invisible() -> None:
    images = torch.rand(1, 3, 3, 48, 64)
    panned = torch.zeros(1, 2, 2, 48, 64)
    panned[:, :, 0] = 5.0
    moving = panned.clone()
    moving[:, :, 1, 10:20, 10:24] += 3.0
    still, object_moves = (motion_input(images, Flow(flow, -flow)) for flow in (panned, moving))
    residual = slice(3, 6)  # two components and the length, towards the next frame
    assert still[:, residual].abs().max() < 0.05
    assert object_moves[:, residual, 12:18, 12:22].abs().amax() > 1.0


def test_input_is_exact_under_autocast() -> None:
    clip = _clip(3, 32, 48)
    assert clip.estimated_flow is not None
    exact = motion_input(clip.images, clip.estimated_flow)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(motion_input(clip.images, clip.estimated_flow), exact)
