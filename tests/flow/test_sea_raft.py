"""SEA-RAFT per clip: the published cases, the prepared update against the published one, and its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip
from motion4d.flow.sea_raft import sea_raft_small
from motion4d.flow.sea_update import ConvNext
from motion4d.io.weights import WeightsError
from tests.flow.seeded import BUILDERS, seeded_checkpoint, seeded_network
from tests.flow.texture import moving_texture
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("flow", kinds=["sea_raft_forward"]))
def test_reference(case: Case) -> None:
    check(case)


@torch.no_grad()
def test_the_prepared_block_is_the_published_one() -> None:
    generator = torch.Generator().manual_seed(0)
    block = ConvNext(24, 8).double()
    for parameter in block.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden, context, motion = torch.randn(3, 2, 8, 9, 7, generator=generator, dtype=torch.float64)
    wanted = block(torch.cat([hidden, context, motion], 1))
    torch.testing.assert_close(block.prepare(context).step(hidden, motion), wanted)


def test_little_memory_gives_the_same_numbers() -> None:
    clip = moving_texture(128, 144, u=3, v=1, frames=3)
    wanted = seeded_network("sea-raft-s", iterations=1)(clip)
    flow = seeded_network("sea-raft-s", iterations=1, memory_limit=2**16)(clip)
    torch.testing.assert_close(flow.forward, wanted.forward, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(flow.backward, wanted.backward, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("manifest", ["sea-raft-m", "sea-raft-s"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_published_files_load_strictly(manifest: str, wrapped: bool, tmp_path: Path) -> None:
    state = seeded_checkpoint(manifest)
    content = {"model": {f"module.{key}": value for key, value in state.items()}} if wrapped else state
    torch.save(content, tmp_path / "sea.pth")
    network = BUILDERS[manifest]()
    network.load_weights(tmp_path / "sea.pth")
    assert torch.equal(network.get_parameter("context_encoder.conv.weight"), state["cnet.final_conv.weight"])

    state.pop("init_conv.bias")
    torch.save(state, tmp_path / "sea.pth")
    with pytest.raises(WeightsError, match="init_conv.bias"):
        network.load_weights(tmp_path / "sea.pth")


def test_either_name_of_a_shortcut_norm_suffices(tmp_path: Path) -> None:
    state = seeded_checkpoint("sea-raft-s")
    for dropped in (".downsample.1.", ".bn3."):
        torch.save({key: value for key, value in state.items() if dropped not in key}, tmp_path / "sea.pth")
        network = sea_raft_small()
        network.load_weights(tmp_path / "sea.pth")
        norm = network.get_parameter("feature_encoder.layer2.0.downsample.1.weight")
        assert torch.equal(norm, state["fnet.layer2.0.bn3.weight"])


def test_missing_weights_and_small_frames(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="prepare.weights sea_raft_small"):
        sea_raft_small(weights=tmp_path / "sea.pth")(Clip(images=torch.rand(1, 2, 3, 128, 128)))
    with pytest.raises(ValueError, match="sea_raft_small needs frames of at least 128x128 pixels"):
        sea_raft_small()(Clip(images=torch.rand(1, 2, 3, 96, 160)))
