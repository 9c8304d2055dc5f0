"""Weights: what is read, what is refused and how it is said, strict loading."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from motion4d.io.weights import WeightsError, load_strict, read_metadata, read_state_dict, recognise, write_safetensors

REFERENCE = Path(__file__).parents[1] / "reference"

KEYS = {
    "Pi3": ["register_token", "encoder.cls_token", "point_decoder.projects.weight", "camera_decoder.projects.weight"],
    "GeoMotion": ["point_decoder.projects.weight", "camera_decoder.projects.weight", "motion_aware_decoder.a.weight"],
    "Pi3X": ["point_decoder.projects.weight", "camera_decoder.projects.weight", "metric_decoder.projects.weight"],
    "VGGT": ["aggregator.camera_token", "aggregator.frame_blocks.0.norm1.weight", "camera_head.token_norm.weight"],
    "MonST3R": ["enc_blocks.0.norm1.weight", "dec_blocks.0.norm1.weight", "dec_blocks2.0.norm1.weight"],
    "RAFT (torchvision layout)": ["feature_encoder.conv.weight", "update_block.flow_head.conv1.weight"],
    "RAFT (princeton layout)": ["fnet.conv1.weight", "cnet.conv1.weight", "update_block.flow_head.conv1.weight"],
    "SEA-RAFT": ["fnet.conv1.weight", "cnet.conv1.weight", "update_block.encoder.weight", "init_conv.weight"],
    "SAM2": ["maskmem_tpos_enc", "sam_mask_decoder.iou_token.weight", "memory_encoder.out_proj.weight"],
}


class Network(nn.Module):
    """Two parameters and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("mean", torch.zeros(3))


class Malicious:
    """Unpickling this creates a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return Path.touch, (self.proof,)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "model_state_dict"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_are_unwrapped(tmp_path: Path, wrapper: str | None, zipped: bool) -> None:
    state = {f"module.{name}": tensor for name, tensor in Network().state_dict().items()}
    content = {wrapper: state, "epoch": 3, "best_iou": np.float64(0.5)} if wrapper else state
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    read = read_state_dict(tmp_path / "a.pth")
    assert set(read) == {"linear.weight", "linear.bias", "mean"}
    assert all(torch.equal(read[name.removeprefix("module.")], tensor) for name, tensor in state.items())


def test_safetensors_round_trip_with_metadata(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    write_safetensors(tmp_path / "a.safetensors", {"a": shared, "b": shared.T, "n": torch.tensor(3)}, {"command": "x"})
    read = read_state_dict(tmp_path / "a.safetensors")
    assert torch.equal(read["a"], shared)
    assert torch.equal(read["b"], shared.T)
    assert read_metadata(tmp_path / "a.safetensors") == {"command": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_half_precision_storage_names_its_dtype_and_loads_into_float32(tmp_path: Path) -> None:
    network = Network()
    write_safetensors(tmp_path / "a.safetensors", network.state_dict() | {"n": torch.tensor(3)}, dtype=torch.float16)
    read = read_state_dict(tmp_path / "a.safetensors")
    assert read_metadata(tmp_path / "a.safetensors") == {"dtype": "float16"}
    assert read["linear.weight"].dtype == torch.float16
    assert read.pop("n").dtype == torch.int64
    for assign in (False, True):
        other = Network()
        load_strict(other, read, source="a", assign=assign)
        assert other.linear.weight.dtype == torch.float32
        torch.testing.assert_close(other.linear.weight, network.linear.weight, atol=1e-3, rtol=0)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("layout", ["zip", "old", "bare"])
def test_a_malicious_pickle_does_not_run(tmp_path: Path, protocol: int, layout: str) -> None:
    content = {"w": torch.ones(2), "x": Malicious(tmp_path / "proof")}
    path = tmp_path / "evil.pth"
    if layout == "bare":
        path.write_bytes(pickle.dumps({"x": Malicious(tmp_path / "proof")}, protocol=protocol))
    else:
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=layout == "zip")
    with pytest.raises(WeightsError, match="evil.pth holds more than tensors .* was not read"):
        read_state_dict(path)
    assert not (tmp_path / "proof").exists()
    with path.open("rb") as file:  # the same bytes do run where nobody protects the reader
        torch.load(path, weights_only=False) if layout != "bare" else pickle.load(file)  # noqa: S301
    assert (tmp_path / "proof").exists()


def test_a_torchscript_archive_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="TorchScript"):
        read_state_dict(tmp_path / "a.pt")


@pytest.mark.parametrize("layout", ["zip", "old", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(tmp_path: Path, layout: str, share: float) -> None:
    path = tmp_path / "a.bin"
    state = {"w": torch.ones(5000)}
    if layout == "safetensors":
        write_safetensors(path, state)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=layout == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match="a.bin .*fetch it again$") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
        (b"just text, nothing else", "neither a safetensors nor a torch file"),
    ],
)
def test_what_is_no_weights_file(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_state_dict(tmp_path / "a.pth")


def test_a_missing_file_names_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run: python -m prepare.weights pi3$"):
        read_state_dict(tmp_path / "model.safetensors", prepare="pi3")
    with pytest.raises(FileNotFoundError, match="check the path"):
        read_state_dict(tmp_path)


@pytest.mark.parametrize("content", [torch.ones(3), {}, {"epoch": 3, "w": torch.ones(2)}])
def test_a_file_without_a_plain_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="no named tensors|entries that are not tensors: epoch"):
        read_state_dict(tmp_path / "a.pth")


def test_strict_loading_names_what_does_not_fit() -> None:
    state = {"linear.weight": torch.zeros(2, 4), "mean": torch.zeros(3)}
    state |= {f"other.{k}": torch.zeros(1) for k in range(5)}
    with pytest.raises(WeightsError) as caught:
        load_strict(Network(), state, source="a.pth")
    message = str(caught.value)
    assert message.startswith(
        "a.pth does not fit Network: 1 missing (linear.bias); 5 unexpected (other.0, other.1, other"
    )
    assert "1 of another shape (linear.weight is (2, 4) instead of (2, 3))" in message
    assert "looks like" not in message


@pytest.mark.parametrize("network", KEYS)
def test_a_wrong_published_file_is_recognised(network: str) -> None:
    state = {name: torch.zeros(1) for name in KEYS[network]}
    with pytest.raises(WeightsError) as caught:
        load_strict(Network(), state, source="a.pth")
    assert str(caught.value).endswith(f"it looks like {network}; you chose Network")


def test_the_manifests_of_published_checkpoints_are_recognised() -> None:
    manifests = {
        "pi3/manifest_pi3.json": "Pi3",
        "pi3/manifest_pi3x.json": "Pi3X",
        "vggt/manifest_vggt_1b.json": "VGGT",
        "page4d/manifest_page4d_1b.json": "Page4D",
        "geomotion/manifest_best_model.json": "GeoMotion",
        "flow/manifest.raft-large.torchvision.json": "RAFT (torchvision layout)",
        "flow/manifest.raft-small.princeton.json": "RAFT (princeton layout)",
    }
    found = {REFERENCE / name: network for name, network in manifests.items() if (REFERENCE / name).exists()}
    for path, network in found.items():
        names = [name.removeprefix("module.") for name in json.loads(path.read_text())]
        assert recognise(names) == network


def test_assign_fills_a_network_on_the_meta_device() -> None:
    state = Network().state_dict()
    with torch.device("meta"):
        empty = Network()
    with pytest.raises(WeightsError, match="assign=True"):
        load_strict(empty, state, source="a.pth")
    load_strict(empty, state, source="a.pth", assign=True)
    assert empty.linear.weight.data_ptr() == state["linear.weight"].data_ptr()
    assert empty.linear.weight.requires_grad
    assert empty.linear(torch.ones(1, 3)).shape == (1, 2)


def test_an_old_torch_file_is_whole_or_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Network().state_dict(), buffer, _use_new_zipfile_serialization=False)
    content = buffer.getvalue()
    path = tmp_path / "old.pth"
    for size in range(1, len(content), 3):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError):
            read_state_dict(path)
    path.write_bytes(content.replace(b"linear", b"li\xff\xffar"))
    with pytest.raises(WeightsError, match="is damaged or truncated"):
        read_state_dict(path)
