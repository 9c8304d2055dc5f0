"""GMFlow per clip: the published cases, its parts on features whose motion is known, portrait frames, and its files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.flow.fitting import Landscape, Resize
from motion4d.flow.gmflow import CHANNELS, GmFlow, gmflow, unimatch
from motion4d.flow.gmflow_plain import plain_gmflow_clip
from motion4d.flow.gmflow_transformer import from_windows, shift_mask, to_windows
from motion4d.flow.matching import FlowPropagation, match_globally, match_locally, warp
from motion4d.io.weights import WeightsError
from tests.flow.seeded import BUILDERS, seeded_checkpoint, seeded_network
from tests.flow.texture import moving_texture
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

MANIFESTS = ["gmflow-scale1", "gmflow-scale2", "gmflow-scale2-regrefine6"]


@pytest.mark.parametrize("case", cases_of("flow", kinds=["gmflow_forward", "gmflow_inference"]))
def test_reference(case: Case) -> None:
    check(case)


def moving_features(u: int, v: int) -> tuple[Tensor, Tensor]:
    """[2, 12, 15, 64] twice, unmistakable; the second is the first, moved."""
    first = 6 * torch.randn(2, 12, 15, 64, generator=torch.Generator().manual_seed(0))
    return first, first.roll((v, u), (1, 2))


def test_matching_finds_sign_axis_and_both_directions() -> None:
    first, second = moving_features(2, -1)
    truth = torch.tensor([2.0, -1.0]).view(2, 1, 1)
    forward, backward = match_globally(first, second, memory_limit=2**20).chunk(2)
    for field, wanted in ((forward, truth), (backward, -truth), (match_locally(first, second, radius=3), truth)):
        torch.testing.assert_close(field[..., 3:-3, 3:-3], wanted.expand(2, 2, 6, 9), atol=1e-3, rtol=0)


@torch.no_grad()
def matcher(manifest: str) -> GmFlow:
    """A network that only compares surroundings: its transformer adds nothing, its features are unmistakable, its
    propagation keeps to itself, its refinement corrects nothing."""
    network = seeded_network(manifest)
    assert isinstance(network, GmFlow)
    for name, parameter in network.transformer.named_parameters():
        if "norm" in name:
            parameter.zero_()
    network.feature_encoder.conv.weight *= 200
    network.feature_encoder.conv.bias.zero_()
    for projection in (network.feature_flow_attn.q_proj, network.feature_flow_attn.k_proj):
        projection.weight.copy_(torch.eye(CHANNELS))
        projection.bias.zero_()
    if network.update_block is not None:
        for parameter in network.update_block.flow_head.parameters():
            parameter.zero_()
    return network


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_whole_network_finds_a_translation(manifest: str) -> None:
    """Not its accuracy, which only trained weights have: sign, axes, direction and scale from frames to flow."""
    flow = matcher(manifest)(moving_texture(128, 192, u=8, v=-16, frames=2))
    for field, sign in ((flow.forward, 1), (flow.backward, -1)):
        error = (field - sign * torch.tensor([8.0, -16.0]).view(2, 1, 1)).norm(dim=2)[..., 40:-40, 40:-40]
        assert (error < 0.5).float().mean() > 0.35  # of any other whole translation: none


def test_matching_everything_needs_little_memory() -> None:
    first, second = torch.randn(2, 2, 9, 11, 16, generator=torch.Generator().manual_seed(0))
    wanted = match_globally(first, second, memory_limit=2**30)
    for limit in (1, 12 * 2 * 99 * 10):
        torch.testing.assert_close(match_globally(first, second, memory_limit=limit), wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_propagation_keeps_a_constant_flow_and_counts_the_border() -> None:
    propagation = FlowPropagation(16)
    features = torch.randn(1, 6, 7, 16, generator=torch.Generator().manual_seed(0))
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 6, 7).contiguous()
    for limit in (1, 2**20):
        torch.testing.assert_close(propagation.everywhere(features, flow, memory_limit=limit), flow)
    nearby = propagation.nearby(features, flow)
    torch.testing.assert_close(nearby[..., 1:-1, 1:-1], flow[..., 1:-1, 1:-1])
    assert (nearby[:, :, 0].abs() < flow[:, :, 0].abs()).all()


def test_warp_undoes_a_translation() -> None:
    maps = torch.rand(1, 3, 8, 9)
    flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 8, 9)
    warped = warp(maps.roll((-1, 2), (2, 3)), flow)
    torch.testing.assert_close(warped[..., 1:, :-2], maps[..., 1:, :-2], atol=1e-5, rtol=1e-5)


def test_windows() -> None:
    maps = torch.rand(2, 8, 12, 3)
    windows = to_windows(maps, splits=4)
    assert torch.equal(windows[1, 6].view(2, 3, 3), maps[1, 2:4, 6:9])
    assert torch.equal(from_windows(windows, 8, 12), maps)
    mask = shift_mask(8, 12, splits=2, like=maps)
    assert mask.shape == (4, 24, 24)
    assert not mask[0].any()
    assert [(part == -100).double().mean().item() for part in mask[1:]] == [0.5, 0.5, 0.75]


def test_portrait_is_landscape_turned() -> None:
    network = seeded_network("gmflow-scale1")
    clip = moving_texture(96, 61, u=2, v=-1, frames=2)
    upright = network(clip)
    lying = network(Clip(images=clip.images.transpose(-2, -1).contiguous()))
    torch.testing.assert_close(upright.forward, lying.forward.transpose(-2, -1).flip(2), atol=1e-4, rtol=1e-4)
    flow = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 64, 96)
    back = Landscape(Resize(16, align_corners=True)).undo_flow(flow, (96, 61))
    torch.testing.assert_close(back, torch.tensor([61 / 64, 3.0]).view(1, 2, 1, 1).expand(1, 2, 96, 61))


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_per_clip_equals_pair_by_pair(manifest: str) -> None:
    network, clip = seeded_network(manifest), moving_texture(90, 61, u=2, v=-1, frames=3)
    ours, plain = network(clip), plain_gmflow_clip(network, clip)
    torch.testing.assert_close(ours.forward, plain.forward, atol=2e-2, rtol=1e-3)
    torch.testing.assert_close(ours.backward, plain.backward, atol=2e-2, rtol=1e-3)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_little_memory_gives_the_same_numbers(manifest: str) -> None:
    clip = moving_texture(64, 96, u=2, v=-1, frames=3)
    wanted, flow = (seeded_network(manifest, memory_limit=limit)(clip) for limit in (2**29, 2**16))
    torch.testing.assert_close(flow.forward, wanted.forward, atol=2e-2, rtol=1e-3)
    torch.testing.assert_close(flow.backward, wanted.backward, atol=2e-2, rtol=1e-3)


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_published_files_load_strictly(manifest: str, tmp_path: Path) -> None:
    state = seeded_checkpoint(manifest)
    torch.save({"model": state}, tmp_path / "gm.pth")
    network = BUILDERS[manifest]()
    network.load_weights(tmp_path / "gm.pth")
    assert torch.equal(network.get_parameter("feature_encoder.conv.weight"), state["backbone.conv2.weight"])

    state.pop("backbone.conv1.weight")
    torch.save({"model": state}, tmp_path / "gm.pth")
    with pytest.raises(WeightsError, match="feature_encoder.convnormrelu.0.weight"):
        network.load_weights(tmp_path / "gm.pth")


def test_another_network_of_the_family_is_refused(tmp_path: Path) -> None:
    torch.save({"model": seeded_checkpoint("gmflow-scale2")}, tmp_path / "gm.pth")
    with pytest.raises(WeightsError, match="does not fit GmFlow: .*refine_proj"):
        unimatch(weights=tmp_path / "gm.pth")(Clip(images=torch.rand(1, 1, 3, 32, 32)))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    clip = Clip(images=torch.rand(1, 2, 3, 32, 32))
    with pytest.raises(FileNotFoundError, match="prepare.weights gmflow$"):
        gmflow(weights=tmp_path / "gm.pth")(clip)
    with pytest.raises(FileNotFoundError, match="prepare.weights unimatch$"):
        unimatch(weights=tmp_path / "gm.pth")(clip)


def test_bfloat16_keeps_the_flow_in_float32() -> None:
    network, clip = seeded_network("gmflow-scale2-regrefine6"), moving_texture(32, 64, u=1, v=0, frames=2)
    with torch.autocast("cpu", torch.bfloat16):
        flow = network(clip)
    assert flow.forward.dtype == torch.float32
    assert torch.isfinite(flow.forward).all()
