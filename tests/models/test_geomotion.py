"""GeoMotion: the published model by its reference cases, and the composition on a backbone that is not Pi3."""

from functools import partial

import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.clip import Clip, Flow
from motion4d.framing import Native
from motion4d.losses.segmentation import bce
from motion4d.models.flow_input import vectors_max
from motion4d.models.geomotion import GeoMotion
from motion4d.models.motion_head import FusionHead, MotionHead
from tests.models.toy import ToyBackbone, toy_clip
from tests.reference.pytest_cases import cases_of, check

toy_head = partial(FusionHead, low_taps=["shallow"], high_taps=["deep"], camera_tap="cameras", dim=16, depth=1, heads=2)


def _model(head=toy_head, flow=None, **settings) -> GeoMotion:
    return GeoMotion(ToyBackbone(), head, flow, Native(8), **settings)


@pytest.mark.parametrize("case", cases_of("geomotion", kinds=["forward", "train", "flow_features", "flow_fusion"]))
def test_reference(case) -> None:
    check(case)


def test_works_on_any_backbone_with_taps() -> None:
    clip = toy_clip(batch=2)
    assert _model()(clip).logits.shape == (2, 3, 16, 24)


def test_flow_vectors_and_no_camera_are_a_matter_of_the_head() -> None:
    model = _model(partial(toy_head, camera_tap=None, fused_dim=20, flow_in=2, flow_input=vectors_max))
    assert model(toy_clip()).logits.shape == (1, 3, 16, 24)
    assert model.head.taps == ("shallow", "deep")


def test_a_built_head_is_taken_as_it_is() -> None:
    class Brightness(MotionHead):
        needs_flow = False

        def forward(self, tokens, clip, flow, *, grid, special):
            return clip.images.mean(2)

    clip = toy_clip(flow=False)
    assert torch.equal(_model(Brightness())(clip).logits, clip.images.mean(2))


def test_frozen_backbone_gets_no_gradient_and_stays_in_eval_mode() -> None:
    model = _model().train()
    assert model.head.training
    assert not model.backbone.training
    assert not model.backbone.dropout.training
    clip = toy_clip()
    bce(model(clip), clip).mean().backward()
    assert all(p.grad is None and not p.requires_grad for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.head.parameters())


def test_unfrozen_backbone_trains_end_to_end() -> None:
    model = _model(freeze_backbone=False).train()
    assert model.backbone.dropout.training
    clip = toy_clip()
    bce(model(clip), clip).mean().backward()
    assert all(p.grad is not None for p in model.backbone.parameters())


def test_a_flow_network_is_never_trained() -> None:
    class Still(torch.nn.Module):
        in_workers = False

        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, clip: Clip) -> Flow:
            field = self.scale * torch.ones(1, clip.num_frames - 1, 2, *clip.size)
            return Flow(field, field)

    model = _model(flow=Still()).train()
    clip = toy_clip(flow=False)
    bce(model(clip), clip).mean().backward()
    assert not model.flow.training
    assert model.flow.scale.grad is None


def test_the_clips_own_flow_comes_first() -> None:
    def never(_clip: Clip) -> Flow:
        raise AssertionError("the estimator ran")

    _model(flow=never)(toy_clip())


def test_missing_flow_is_an_error_unless_allowed() -> None:
    clip = toy_clip(flow=False)
    with pytest.raises(ValueError, match="needs optical flow"):
        _model()(clip)
    assert _model(partial(toy_head, allow_missing_flow=True))(clip).logits.shape == (1, 3, 16, 24)


def test_flow_that_does_not_fit_the_clip_is_an_error() -> None:
    clip = toy_clip()
    clip.estimated_flow = toy_clip(frames=2).estimated_flow
    with pytest.raises(ValueError, match="N - 1 fields"):
        _model()(clip)


def test_unknown_taps_are_refused_at_construction() -> None:
    with pytest.raises(CapabilityError, match="no tap decoder_5"):
        _model(partial(toy_head, low_taps=["decoder_5"]))


def test_geometry_comes_from_the_same_pass() -> None:
    model, clip = _model().eval(), toy_clip()
    motion, geometry = model.forward_all(clip, taps=["cameras"])
    assert torch.equal(motion.logits, model(clip).logits)
    assert set(geometry.tokens) == {"shallow", "deep", "cameras"}
    with pytest.raises(CapabilityError, match="no head points"):
        model.forward_all(clip, heads=["points"])


def test_frames_of_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        _model()(toy_clip(height=18))


def test_bf16_autocast_gives_float32_logits_near_the_exact_ones() -> None:
    model, clip = _model().eval(), toy_clip()
    exact = model(clip).logits
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(clip).logits
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() < 0.05 * exact.std() + 0.02
