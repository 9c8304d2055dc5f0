"""MonST3R against its reference cases, and what they do not say: one encoding per frame, chunks, files, storage."""

import argparse
import json

import pytest
import torch

from motion4d.backbones.monst3r import Monst3r
from motion4d.backbones.monst3r_weights import settings_of
from motion4d.io.weights import WeightsError, write_safetensors
from tests.reference.manifest import HOME, Case
from tests.reference.procedures.monst3r_network import PROCEDURES
from tests.reference.pytest_cases import cases_of, check

NETWORK = ("forward", "forward_symmetric", "checkpoint_keys")


def tiny(**changes) -> Monst3r:
    settings = {
        "encoder_dim": 64, "encoder_depth": 1, "encoder_heads": 1, "decoder_dim": 64, "decoder_depth": 4,
        "decoder_heads": 1, "dpt_features": 16, "dpt_last_dim": 8, "dpt_layer_dims": (8, 8, 16, 16),
    }  # fmt: skip
    torch.manual_seed(0)
    return Monst3r(**(settings | changes)).eval()


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=NETWORK))
def test_reference(case: Case):
    assert case.kind in PROCEDURES
    check(case)


@torch.no_grad()
def test_a_clip_encodes_every_frame_once_however_many_pairs_there_are():
    model, images, seen = tiny(frames_at_once=2, pairs_at_once=3), torch.rand(4, 3, 32, 48), []
    model.patch_embed.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    maps = model.decode(model.encode(images), pairs)
    assert seen == [2, 2]
    assert maps.points_first.shape == (12, 32, 48, 3)
    assert maps.confidence_second.shape == (12, 32, 48)
    alone = model.decode(model.encode(images[[2, 1]]), [(0, 1)])
    index = pairs.index((2, 1))
    assert torch.allclose(maps.points_second[index], alone.points_second[0], atol=1e-5)
    assert torch.allclose(maps.confidence_first[index], alone.confidence_first[0], atol=1e-4)


@torch.no_grad()
def test_half_precision_storage_halves_memory_and_points_lie_channel_first():
    model, images = tiny(storage=torch.float16), torch.rand(2, 3, 32, 32)
    maps = model.decode(model.encode(images), [(0, 1), (1, 0)])
    exact = tiny().decode(model.encode(images), [(0, 1), (1, 0)])
    assert maps.points_first.dtype == torch.float16
    assert maps.points_first.movedim(-1, 1).is_contiguous()
    assert torch.allclose(maps.points_first.float(), exact.points_first, rtol=1e-3, atol=1e-3)


def test_trains_end_to_end_after_inference():
    model, images = tiny(), torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        model.decode(model.encode(images), [(0, 1)])
    maps = model.decode(model.encode(images), [(0, 1), (1, 0)])
    (maps.points_first.square().mean() + maps.points_second.square().mean() + maps.confidence_first.mean()).backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert all("refinenet4.resConfUnit1" in name for name in without)
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


@torch.no_grad()
def test_bf16_autocast_keeps_pointmaps_in_float32():
    model, images = tiny(), torch.rand(2, 3, 32, 32)
    exact = model.decode(model.encode(images), [(0, 1)])
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.decode(model.encode(images), [(0, 1)])
    assert rough.points_first.dtype == torch.float32
    assert torch.allclose(rough.points_first, exact.points_first, rtol=0.1, atol=0.05)


def checkpoint(model: Monst3r) -> dict:
    """The network's tensors as the published torch files hold them: some under two names, and one that is unused."""
    state = dict(model.state_dict())
    for name in [name for name in state if ".scratch.layer" in name]:
        number = int(name.split(".scratch.layer")[1][0])
        state[name.replace(f"layer{number}_rn", f"layer_rn.{number - 1}")] = state[name]
    return state | {"mask_token": torch.zeros(1, 1, 64)}


def test_both_file_formats_give_the_same_network(tmp_path):
    model = tiny()
    torch.save({"model": checkpoint(model), "args": argparse.Namespace(model="f(x)", lr=1)}, tmp_path / "published.pth")
    write_safetensors(tmp_path / "model.safetensors", model.state_dict())
    for file in ("published.pth", "model.safetensors"):
        read = Monst3r.from_file(tmp_path / file)
        assert all(torch.equal(a, b) for a, b in zip(read.parameters(), model.parameters(), strict=True))
    tiny().load_weights(tmp_path / "published.pth")


def test_linear_heads_are_recognised(tmp_path):
    model = tiny(linear_head=True)
    write_safetensors(tmp_path / "model.safetensors", model.state_dict())
    read = Monst3r.from_file(tmp_path / "model.safetensors").eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        ours, theirs = (net.decode(net.encode(images), [(0, 1)]).points_first for net in (read, model))
    assert torch.equal(ours, theirs)
    with pytest.raises(WeightsError, match="does not fit Monst3r"):
        tiny().load_weights(tmp_path / "model.safetensors")


def test_the_published_shapes_say_what_the_published_network_is():
    shapes = json.loads((HOME / "monst3r" / "manifest_512_dpt_pth.json").read_text())
    with torch.device("meta"):
        read, default = Monst3r(**settings_of(shapes)), Monst3r()
    assert {k: v.shape for k, v in read.state_dict().items()} == {k: v.shape for k, v in default.state_dict().items()}
    assert sum(p.numel() for p in default.parameters()) == 571_171_208 - 768  # without the unused mask token


def test_bad_input_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="multiples of 16, but the images are 30x32"):
        tiny().encode(torch.rand(1, 3, 30, 32))
    with pytest.raises(ValueError, match="no pairs"):
        tiny().decode(tiny().encode(torch.rand(1, 3, 32, 32)), [])
    write_safetensors(
        tmp_path / "other.safetensors", {"point_decoder.x": torch.zeros(1), "camera_decoder.y": torch.zeros(1)}
    )
    with pytest.raises(WeightsError, match="it looks like Pi3"):
        Monst3r.from_file(tmp_path / "other.safetensors")
