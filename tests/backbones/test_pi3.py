"""Pi3 against its reference cases, and what the cases do not say: equivariance, selection, chunks, world frame."""

import json

import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.backbones.pi3 import Pi3
from motion4d.geometry.projection import project, transform_points
from tests.reference.manifest import HOME, Case
from tests.reference.procedures.pi3 import PROCEDURES
from tests.reference.pytest_cases import cases_of, check

HEADS = ("points", "pose", "confidence")


def tiny(**changes) -> Pi3:
    settings = {
        "dim": 32, "encoder_depth": 1, "encoder_heads": 2, "decoder_depth": 4, "decoder_heads": 2, "head_dim": 32,
        "head_depth": 1, "head_heads": 2, "pixel_dim": 16, "camera_dim": 16, "patch_size": 8, "position_grid": 4,
        "layer_scale": 0.5,
    }  # fmt: skip
    torch.manual_seed(0)
    return Pi3(**(settings | changes)).eval()


@pytest.mark.parametrize("case", cases_of("pi3", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)


def test_published_checkpoint_has_exactly_these_keys():
    manifest = json.loads((HOME / "pi3" / "manifest_pi3.json").read_text())
    with torch.device("meta"):
        model = Pi3()
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == manifest
    assert sum(parameter.numel() for parameter in model.parameters()) == 958_696_732


@torch.no_grad()
def test_frames_may_come_in_any_order():
    model, clip, order = tiny(), torch.rand(2, 4, 3, 16, 24), [2, 0, 3, 1]
    straight, shuffled = (model.predict(x, heads=HEADS, taps=["decoder_3"]) for x in (clip, clip[:, order]))
    assert torch.allclose(straight.camera_to_common[:, order], shuffled.camera_to_common, atol=1e-4)
    assert torch.allclose(straight.points_camera[:, order], shuffled.points_camera, atol=1e-4)
    assert torch.allclose(straight.tokens["decoder_3"][:, order], shuffled.tokens["decoder_3"], atol=1e-4)


@torch.no_grad()
def test_world_frame_is_the_first_camera():
    model, clip = tiny(), torch.rand(2, 3, 3, 16, 24)
    said, answer = model.predict(clip, heads=HEADS), model(clip, heads=HEADS)
    assert torch.allclose(answer.camera_to_world[:, 0], torch.eye(4).expand(2, 4, 4), atol=1e-5)
    assert torch.allclose(answer.points_world[:, 0], answer.points_camera[:, 0], atol=1e-4)
    common = transform_points(said.camera_to_common, said.points_camera)
    first = said.camera_to_common[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(transform_points(first, answer.points_world), common, atol=1e-4)
    assert torch.equal(answer.depth, answer.points_camera[..., 2])
    assert (answer.depth > 0).all()
    assert torch.allclose(answer.confidence, said.confidence_logits.sigmoid())
    assert project(answer.points_camera, answer.intrinsics).isfinite().all()
    assert torch.allclose(answer.intrinsics[..., :2, 2], torch.tensor([11.5, 7.5]).expand(2, 3, 2))


@torch.no_grad()
def test_only_the_asked_heads_and_blocks_run():
    model, clip = tiny(), torch.rand(1, 2, 3, 16, 16)
    ran: set[str] = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.add(name))
    model(clip, taps=["decoder_1"])
    assert {"decoder.0", "decoder.1"} <= ran
    assert not ran & {"decoder.2", "point_decoder", "conf_decoder", "camera_decoder"}
    ran.clear()
    answer = model(clip, heads=["pose"])
    assert {"decoder.3", "camera_decoder", "camera_head"} <= ran
    assert not ran & {"point_decoder", "conf_decoder"}
    assert answer.points_camera is None
    assert answer.confidence is None
    assert not answer.tokens


@torch.no_grad()
def test_chunks_change_nothing():
    whole, chunked, clip = tiny(), tiny(frames_at_once=2), torch.rand(1, 5, 3, 16, 16)
    a, b = (model(clip, heads=HEADS, taps=["camera_hidden"]) for model in (whole, chunked))
    assert torch.allclose(a.points_world, b.points_world, atol=1e-5)
    assert torch.allclose(a.tokens["camera_hidden"], b.tokens["camera_hidden"], atol=1e-5)


@torch.no_grad()
def test_normalising_twice_is_what_geomotion_was_trained_with():
    once, twice, clip = tiny(), tiny(normalizations=2), torch.rand(1, 1, 3, 16, 16)
    normalised = (clip - once.image_mean) / once.image_std
    a, b = once(normalised, taps=["decoder_0"]), twice(clip, taps=["decoder_0"])
    assert torch.allclose(a.tokens["decoder_0"], b.tokens["decoder_0"], atol=1e-5)


def test_heads_that_were_not_built_are_not_offered():
    model = tiny(heads=["pose"])
    assert not any(key.startswith(("point_", "conf_")) for key in model.state_dict())
    assert "camera_hidden" in model.available_taps
    assert "conf_hidden" not in model.available_taps
    with pytest.raises(CapabilityError, match="has no head points; it offers pose"):
        model(torch.rand(1, 1, 3, 16, 16), heads=["points"])
    with pytest.raises(ValueError, match="not masks"):
        tiny(heads=["masks"])


def test_trains_end_to_end():
    model = tiny().train()
    answer = model(torch.rand(1, 3, 3, 16, 16), heads=HEADS)
    loss = answer.points_world.square().mean() + answer.camera_to_world.sum() + answer.confidence.mean()
    loss.backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@torch.no_grad()
def test_bf16_autocast_keeps_geometry_in_float32():
    model, clip = tiny(), torch.rand(1, 3, 3, 16, 24)
    exact = model(clip, heads=HEADS)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(clip, heads=HEADS)
    assert {rough.points_world.dtype, rough.camera_to_world.dtype, rough.confidence.dtype} == {torch.float32}
    assert torch.allclose(rough.points_camera, exact.points_camera, rtol=0.05, atol=0.05)
    rotation = rough.camera_to_world[..., :3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=1e-5)
