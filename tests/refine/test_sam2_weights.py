"""Published files of SAM 2 load strictly: every size, both versions, both layouts; anything else is named."""

from __future__ import annotations

import json
import math

import pytest
import torch

from motion4d.io.weights import WeightsError, load_strict, write_safetensors
from motion4d.refine.sam2 import Sam2Tracker
from motion4d.refine.sam2_network import SIZES, network_for
from motion4d.refine.sam2_weights import read_network, to_transformers_layout
from tests.reference.manifest import HOME
from tests.reference.seeded import seeded_state_dict

TINY: dict[str, list[int]] = json.loads((HOME / "sam2" / "manifest.sam2.1-hiera-tiny.json").read_text())
NEW_IN_2_1 = ("obj_ptr_tpos_proj.", "no_obj_embed_spatial")
TRUNK = "image_encoder.trunk."
PARAMETERS = {"tiny": 38_962_498, "small": 46.0e6, "base_plus": 80.8e6, "large": 224.4e6}  # as published


def published_shapes(name: str) -> dict[str, list[int]]:
    """Names and shapes of a published file: only the image encoder depends on the size."""
    size = SIZES[name]
    width, before = size.width, size.width
    shapes = {key: shape for key, shape in TINY.items() if not key.startswith(TRUNK)}
    for level in range(4):
        shapes[f"image_encoder.neck.convs.{level}.conv.weight"] = [256, width << (3 - level), 1, 1]
    trunk = {
        "pos_embed": [1, width, size.background, size.background],
        "pos_embed_window": [1, width, size.windows[0], size.windows[0]],
        "patch_embed.proj.weight": [width, 3, 7, 7],
        "patch_embed.proj.bias": [width],
    }
    stages = [stage for stage, blocks in enumerate(size.blocks) for _ in range(blocks)]
    for number, stage in enumerate(stages):
        after = width << stage
        layers = {"attn.qkv": [3 * after, before], "attn.proj": [after, after]}
        layers |= {"mlp.layers.0": [4 * after, after], "mlp.layers.1": [after, 4 * after]}
        layers |= {"proj": [after, before]} if after != before else {}
        block = {f"{layer}.weight": shape for layer, shape in layers.items()}
        block |= {f"{layer}.bias": shape[:1] for layer, shape in layers.items()}
        for norm, length in (("norm1", before), ("norm2", after)):
            block |= {f"{norm}.weight": [length], f"{norm}.bias": [length]}
        trunk |= {f"blocks.{number}.{key}": shape for key, shape in block.items()}
        before = after
    return shapes | {TRUNK + key: shape for key, shape in trunk.items()}


def without_2_1(state: dict) -> dict:
    """What SAM 2.0 has of it."""
    return {key: value for key, value in state.items() if not key.startswith(NEW_IN_2_1)}


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    return {key: torch.from_numpy(value) for key, value in seeded_state_dict(TINY).items()}


def test_the_shapes_below_are_those_of_the_published_file() -> None:
    assert published_shapes("tiny") == TINY
    assert len(TINY) == 471


@pytest.mark.parametrize("is_2_1", [True, False])
@pytest.mark.parametrize("name", SIZES)
def test_every_published_size_loads_strictly(name: str, is_2_1: bool) -> None:
    shapes = published_shapes(name)
    with torch.device("meta"):
        state = {key: torch.empty(shape) for key, shape in (shapes if is_2_1 else without_2_1(shapes)).items()}
        state = to_transformers_layout(state)
        network = network_for(state, image_size=1024, source=name)
        load_strict(network, state, source=name, assign=True)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    added = sum(math.prod(shape) for key, shape in shapes.items() if key.startswith(NEW_IN_2_1))
    of_2_1 = parameters if is_2_1 else parameters + added
    assert of_2_1 == pytest.approx(PARAMETERS[name], rel=0 if name == "tiny" else 2e-3)


def test_published_file_and_transformers_folder_are_the_same_network(tmp_path, published) -> None:
    torch.save({"model": published}, tmp_path / "sam2.1_hiera_tiny.pt")
    network = read_network(tmp_path / "sam2.1_hiera_tiny.pt", image_size=256)
    network.save_pretrained(tmp_path / "folder")
    again = read_network(tmp_path / "folder", image_size=256)
    ours, theirs = network.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    mlp = "mask_decoder.iou_prediction_head"
    assert torch.equal(ours[f"{mlp}.layers.0.weight"], published[f"sam_{mlp}.layers.1.weight"])
    corner = published["sam_prompt_encoder.point_embeddings.3.weight"]
    assert torch.equal(ours["prompt_encoder.point_embed.weight"][3:], corner)


def test_files_of_another_kind_are_named(tmp_path, published) -> None:
    path = tmp_path / "odd.safetensors"
    write_safetensors(path, {key: value for key, value in published.items() if key != "obj_ptr_proj.layers.1.bias"})
    with pytest.raises(WeightsError, match=r"1 missing \(object_pointer_proj.layers.0.bias\)"):
        read_network(path, image_size=256)
    write_safetensors(path, {key: value for key, value in published.items() if ".blocks.11." not in key})
    with pytest.raises(WeightsError, match="no SAM 2 of a published size"):
        read_network(path, image_size=256)
    write_safetensors(path, {"encoder.weight": torch.zeros(2)})
    with pytest.raises(WeightsError, match="no SAM 2 of a published size"):
        read_network(path, image_size=256)


def test_missing_weights_name_the_command(tmp_path) -> None:
    tracker = Sam2Tracker(tmp_path / "sam2_large" / "sam2.1_hiera_large.pt")
    with pytest.raises(FileNotFoundError, match=r"python -m prepare\.weights sam2_large"):
        tracker.load()
