"""PAGE-4D against its reference cases, its mask, and its checkpoint layouts."""

import json

import pytest
import torch
import torch.nn.functional as F

from motion4d.backbones.page4d import Page4D, SpatialMaskHead
from motion4d.backbones.vggt import VGGT
from motion4d.io.weights import WeightsError, write_safetensors
from tests.backbones.test_vggt import TINY
from tests.reference.manifest import HOME, Case
from tests.reference.procedures.page4d import PROCEDURES
from tests.reference.pytest_cases import cases_of, check

HEADS = ("points", "pose", "depth", "confidence")


def tiny(**changes) -> Page4D:
    torch.manual_seed(0)
    model = Page4D(mask_layer=0, mask_layers=(1, 2), **(TINY | changes)).eval()
    torch.nn.init.normal_(model.aggregator.spatial_mask_head.head0[4].weight)
    return model


@pytest.mark.parametrize("case", cases_of("page4d", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)


def test_published_checkpoint_has_exactly_these_keys():
    manifest = json.loads((HOME / "page4d" / "manifest_page4d_1b.json").read_text())
    del manifest["aggregator.patch_embed.mask_token"]
    with torch.device("meta"):
        model = Page4D()
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == manifest
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_190_869_017 - 1024


@torch.no_grad()
def test_only_special_queries_are_biased():
    model, clip = tiny(), torch.rand(1, 2, 3, 16, 24)
    off, on = (model.predict(clip, taps=["decoder_1", "mask"], strength=alpha).tokens for alpha in (0.0, 1.0))
    assert torch.equal(off["mask"], on["mask"])
    assert (on["mask"][:, :, :5] == 0).all()
    assert on["mask"].abs().max() <= 0.5
    special, patches = (off["decoder_1"] - on["decoder_1"]).split((5, 6), dim=2)
    assert special.abs().max() > 1e-3
    assert patches.abs().max() < 1e-5


@torch.no_grad()
def test_the_bias_is_what_more_channels_per_head_would_give():
    """The published form: queries and keys extended by one channel that carries the gate and the mask."""
    from motion4d.backbones.page4d import _Guide

    model, heads, dim = tiny(), 2, 16
    guide = _Guide(model, (2, 3), 1.0)
    guide.keys = F.pad(torch.rand(1, 2, 6) - 0.5, (5, 0))
    query, key, value = torch.randn(3, 1, heads, 22, dim)
    gate = torch.zeros(1, 2, 11)
    gate[..., :5] = guide.gate
    gate, keys = (tensor.flatten(1)[:, None, :, None].expand(-1, heads, -1, -1) for tensor in (gate, guide.keys))
    longer = (torch.cat((query, gate * dim**0.5), -1), torch.cat((key, keys), -1))
    expected = F.scaled_dot_product_attention(*longer, value, scale=dim**-0.5)
    assert torch.allclose(guide._attend(query, key, value), expected, atol=1e-5)


@torch.no_grad()
def test_strength_at_construction_and_per_call():
    clip = torch.rand(1, 2, 3, 16, 16)
    plain = tiny()(clip, heads=["pose"]).camera_to_world
    for mask, strength in (("off", 0.0), (False, 0.0), ("on", 1.0), (True, 1.0), (0.25, 0.25)):
        built = tiny(mask=mask)
        assert built.mask_strength == strength
        called = tiny()(clip, heads=["pose"], strength=strength).camera_to_world
        assert torch.equal(built(clip, heads=["pose"]).camera_to_world, called)
        assert torch.equal(called, plain) == (strength == 0)
    for wrong in ("maybe", 1.5, -0.1):
        with pytest.raises(ValueError, match="off, on, or a number from 0 to 1"):
            tiny(mask=wrong)
    with pytest.raises(ValueError, match="in this order"):
        Page4D(mask_layer=2, mask_layers=(1, 3), **TINY)


def test_one_patch_is_not_nan():
    head = SpatialMaskHead(8, hidden=4)
    assert head(torch.rand(2, 1, 8), (1, 1)).isfinite().all()


def test_the_mask_head_trains_without_disturbing_what_comes_before_it():
    model = tiny(mask="on").train()
    model(torch.rand(1, 2, 3, 16, 16), taps=["mask"]).tokens["mask"].sum().backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, _ in model.named_parameters() if "spatial_mask_head" in name}


def test_checkpoints(tmp_path, caplog):
    source, path = tiny(), tmp_path / "checkpoint_nomask.pt"
    unused = {"aggregator.patch_embed.mask_token": torch.zeros(1, 32), "track_head.tracker.x": torch.zeros(1)}
    torch.save({"model": source.state_dict() | unused, "prev_epoch": 3, "steps": {"train": 1}}, path)
    other = tiny(mask="on")
    torch.nn.init.zeros_(other.camera_head.embed_pose.weight)
    with caplog.at_level("INFO"):
        other.load_weights(path)
    assert "track_head." in caplog.text
    assert torch.equal(other.camera_head.embed_pose.weight, source.camera_head.embed_pose.weight)
    with pytest.raises(WeightsError, match="it looks like Page4D; you chose VGGT"):
        VGGT(**TINY).load_weights(path)
    vggt = {key: value for key, value in source.state_dict().items() if "spatial_mask_head" not in key}
    write_safetensors(tmp_path / "vggt.safetensors", vggt)
    with caplog.at_level("INFO"):
        other.load_weights(tmp_path / "vggt.safetensors")
    assert "starts untrained" in caplog.text
    del vggt["camera_head.embed_pose.bias"]
    write_safetensors(tmp_path / "vggt.safetensors", vggt)
    with pytest.raises(WeightsError, match="1 missing"):
        other.load_weights(tmp_path / "vggt.safetensors")
