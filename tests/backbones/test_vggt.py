"""VGGT against its reference cases, and what the cases do not say: selection, conventions, loading, tracking."""

import json

import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.backbones.pi3 import Pi3
from motion4d.backbones.vggt import VGGT
from motion4d.backbones.vggt_tracks import TrackHead
from motion4d.geometry.projection import project, transform_points
from motion4d.io.weights import WeightsError, write_safetensors
from tests.reference.manifest import HOME, Case
from tests.reference.procedures.vggt import PROCEDURES
from tests.reference.pytest_cases import cases_of, check

HEADS = ("points", "pose", "depth", "confidence")
TINY = {
    "dim": 32, "encoder_depth": 1, "encoder_heads": 2, "encoder_registers": 1, "depth": 4, "attention_heads": 2,
    "camera_depth": 1, "camera_heads": 2, "head_layers": (0, 1, 2, 3), "head_widths": (8, 8, 8, 8), "head_features": 8,
    "patch_size": 8, "position_grid": 4, "layer_scale": 0.5,
}  # fmt: skip


def tiny(**changes) -> VGGT:
    torch.manual_seed(0)
    return VGGT(**(TINY | changes)).eval()


def tiny_track_head() -> TrackHead:
    return TrackHead(
        64, patch_size=8, features=8, feature_widths=(8, 8, 8, 8), levels=2, radius=1, hidden=16, depth=1, heads=2,
        virtual_tracks=4, iterations=2,
    )  # fmt: skip


@pytest.mark.parametrize("case", cases_of("vggt", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)


def test_published_checkpoint_has_exactly_these_keys():
    manifest = json.loads((HOME / "vggt" / "manifest_vggt_1b.json").read_text())
    del manifest["aggregator.patch_embed.mask_token"]  # serves the encoder's pretraining only
    with torch.device("meta"):
        model = VGGT(track_head=TrackHead())
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == manifest
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_256_537_516 - 1024


@torch.no_grad()
def test_cameras_depth_and_points_fit_together():
    model, clip = tiny(), torch.rand(2, 3, 3, 16, 24)
    both = model(clip, heads=["depth", "pose"])
    assert torch.allclose(both.points_camera[..., 2], both.depth)
    assert torch.allclose(transform_points(both.camera_to_world, both.points_camera), both.points_world)
    u, v = project(both.points_camera, both.intrinsics)[0, 0, 5, 7].tolist()
    assert (u, v) == pytest.approx((7, 5), abs=1e-3)
    assert torch.allclose(both.intrinsics[..., :2, 2], torch.tensor([11.5, 7.5]).expand(2, 3, 2))
    seen = model(clip, heads=["points", "pose"])
    assert torch.allclose(transform_points(seen.camera_to_world, seen.points_camera), seen.points_world, atol=1e-4)
    assert torch.equal(seen.depth, seen.points_camera[..., 2])
    assert seen.confidence is None


@torch.no_grad()
def test_confidence_belongs_to_the_head_that_answers():
    model, clip = tiny(), torch.rand(1, 2, 3, 16, 16)
    said = model.predict(clip, heads=HEADS)
    alone = model(clip, heads=["confidence"])
    assert torch.allclose(alone.confidence, said.depth_confidence)
    assert alone.depth is None
    assert torch.allclose(model(clip, heads=["points", "confidence"]).confidence, said.points_confidence)
    assert (said.points_confidence >= 1).all()


@torch.no_grad()
def test_only_the_asked_heads_and_layers_run():
    model, clip = tiny(), torch.rand(1, 2, 3, 16, 16)
    ran: set[str] = set()
    for name, module in model.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.add(name))
    model(clip, taps=["decoder_1"])
    assert {"aggregator.frame_blocks.1", "aggregator.global_blocks.1"} <= ran
    assert not ran & {"aggregator.frame_blocks.2", "camera_head", "depth_head", "point_head"}
    ran.clear()
    model(clip, heads=["depth"])
    assert "depth_head" in ran
    assert not ran & {"camera_head", "point_head"}


@torch.no_grad()
def test_the_first_frame_is_the_reference_and_the_others_may_come_in_any_order():
    model, clip, order = tiny(), torch.rand(1, 4, 3, 16, 16), [0, 3, 1, 2]
    torch.nn.init.normal_(model.aggregator.camera_token)  # untrained, both are almost zero
    straight, shuffled = (model(x, heads=["depth"]).depth for x in (clip, clip[:, order]))
    assert torch.allclose(straight[:, order], shuffled, atol=1e-4)
    other = model(clip[:, [1, 0, 2, 3]], heads=["depth"]).depth
    assert not torch.allclose(straight[:, [1, 0, 2, 3]], other, atol=1e-4)


@torch.no_grad()
def test_chunks_change_nothing():
    clip = torch.rand(1, 5, 3, 16, 16)
    whole, chunked = (tiny(frames_at_once=n)(clip, heads=HEADS) for n in (None, 2))
    assert torch.allclose(whole.points_world, chunked.points_world, atol=1e-5)
    assert torch.allclose(whole.depth, chunked.depth, atol=1e-5)


def test_trains_end_to_end():
    model = tiny(track_head=tiny_track_head()).train()
    clip = torch.rand(1, 3, 3, 16, 16)
    answer = model(clip, heads=HEADS)
    tracks = model.track(model.track_features(clip), torch.tensor([[[3.0, 4.0], [9.0, 8.0]]]))
    loss = answer.points_world.square().mean() + answer.camera_to_world.sum() + answer.intrinsics.mean()
    loss = loss + answer.depth.mean() + answer.confidence.mean()
    (loss + tracks.positions.mean() + tracks.visibility.mean() + tracks.confidence.mean()).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@torch.no_grad()
def test_bf16_autocast_keeps_geometry_in_float32():
    model, clip = tiny(), torch.rand(1, 3, 3, 16, 24)
    exact = model(clip, heads=HEADS)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(clip, heads=HEADS)
    assert {rough.points_world.dtype, rough.camera_to_world.dtype, rough.depth.dtype} == {torch.float32}
    assert torch.allclose(rough.depth, exact.depth, rtol=0.1, atol=0.1)
    rotation = rough.camera_to_world[..., :3, :3]
    assert torch.allclose(rotation @ rotation.mT, torch.eye(3).expand_as(rotation), atol=1e-5)


def test_loads_what_was_built_and_names_a_wrong_file(tmp_path, caplog):
    whole, path = tiny(track_head=tiny_track_head()), tmp_path / "model.safetensors"
    write_safetensors(path, whole.state_dict() | {"aggregator.patch_embed.mask_token": torch.zeros(1, 32)})
    part = tiny(heads=["depth"])
    with caplog.at_level("INFO"):
        part.load_weights(path)
    assert "camera_head., point_head., track_head." in caplog.text
    assert torch.equal(part.depth_head.norm.weight, whole.depth_head.norm.weight)
    with torch.device("meta"), pytest.raises(WeightsError, match="it looks like VGGT; you chose Pi3"):
        Pi3(decoder_depth=2, encoder_depth=1).load_weights(path)
    write_safetensors(path, tiny().state_dict())
    with pytest.raises(WeightsError, match=r"missing \(track_head"):
        whole.load_weights(path)


def test_what_was_not_built_is_not_offered():
    model = tiny(heads=["pose"])
    assert model.available_heads == {"pose"}
    with pytest.raises(CapabilityError, match="has no head confidence; it offers pose"):
        model(torch.rand(1, 1, 3, 16, 16), heads=["confidence"])
    with pytest.raises(CapabilityError, match="without a track head"):
        model.track_features(torch.rand(1, 1, 3, 16, 16))
    with pytest.raises(ValueError, match="not masks"):
        tiny(heads=["masks"])
    with pytest.raises(ValueError, match="four of the layers 0 to 3"):
        tiny(head_layers=(0, 1, 2, 4))


@torch.no_grad()
def test_a_query_of_a_later_frame_is_one_of_the_first_when_that_frame_comes_first():
    model, points = tiny(track_head=tiny_track_head()), torch.tensor([[[8.0, 8.0]]])
    features = model.track_features(torch.rand(1, 3, 3, 16, 16))
    late, first = model.track(features, points, frame=2), model.track(features[:, [2, 0, 1]], points)
    assert torch.allclose(late.positions[:, :, [2, 0, 1]], first.positions)
    assert torch.equal(late.positions[:, :, 2], points.expand(2, 1, -1, -1))


@torch.no_grad()
def test_images_too_small_to_track_are_refused():
    model = tiny(track_head=TrackHead(64, patch_size=8, feature_widths=(8, 8, 8, 8), depth=1))
    with pytest.raises(ValueError, match="at least 64 pixels a side, but they are 8x8"):
        model.track(model.track_features(torch.rand(1, 1, 3, 16, 16)), torch.ones(1, 1, 2))
