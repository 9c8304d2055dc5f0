"""RAFT per clip: equal to the plain form, to the published cases, and clear about what it cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.flow.correlation import OnTheFly, Volume, pixel_grid
from motion4d.flow.fitting import ReplicatePad
from motion4d.flow.raft import Raft, raft_large, raft_small
from motion4d.flow.raft_plain import plain_raft_clip
from motion4d.flow.raft_weights import to_torchvision_layout
from motion4d.io.weights import WeightsError
from tests.flow.seeded import seeded_checkpoint, seeded_network
from tests.flow.texture import moving_texture
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

SIZES = {"large": raft_large, "small": raft_small}


def seeded(size: str, layout: str) -> dict[str, Tensor]:
    """A checkpoint of one of the two published layouts."""
    return seeded_checkpoint(f"raft-{size}.{layout}")


def seeded_raft(size: str, *, iterations: int = 3, **settings: object) -> Raft:
    """RAFT with seeded weights."""
    return seeded_network(f"raft-{size}.torchvision", iterations=iterations, **settings)


@pytest.mark.parametrize(
    "case", [*cases_of("flow", kinds=["raft_forward", "geomotion_flow"]), *cases_of("geomotion", kinds=["raft_flow"])]
)
def test_reference(case: Case) -> None:
    check(case)


@pytest.mark.parametrize(("size", "frame"), [("small", (139, 130)), ("large", (128, 136)), ("large", (139, 130))])
def test_per_clip_equals_pair_by_pair(size: str, frame: tuple[int, int]) -> None:
    raft = seeded_raft(size, iterations=2)
    clip = moving_texture(*frame, u=2, v=-1, frames=3)
    ours, plain = raft(clip), plain_raft_clip(raft, clip)
    assert ours.forward.shape == (1, 2, 2, *frame)
    torch.testing.assert_close(ours.forward, plain.forward, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.backward, plain.backward, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("memory_limit", [2**16, 2**22])
def test_little_memory_gives_the_same_numbers(memory_limit: int) -> None:
    clip = moving_texture(128, 144, u=3, v=1, frames=3)
    wanted = seeded_raft("small")(clip)
    flow = seeded_raft("small", memory_limit=memory_limit)(clip)
    torch.testing.assert_close(flow.forward, wanted.forward, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(flow.backward, wanted.backward, atol=1e-4, rtol=1e-4)


def test_lookups_agree_even_far_outside() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2, 16, 17, 19, generator=generator)
    positions = pixel_grid(17, 19, like=first) + 30 * torch.randn(2, 2, 17, 19, generator=generator)
    volume = Volume.one_way(first, second, levels=4, radius=3).lookup(positions)
    on_the_fly = OnTheFly(first, second, levels=4, radius=3).lookup(positions)
    torch.testing.assert_close(on_the_fly, volume, atol=1e-5, rtol=1e-4)


def test_the_window_is_transposed_as_published() -> None:
    first = torch.ones(1, 1, 16, 16)
    second = torch.zeros(1, 1, 16, 16)
    second[0, 0, 7, 10] = 1  # row 7, column 10
    lookup = Volume.one_way(first, second, levels=1, radius=4).lookup(pixel_grid(16, 16, like=first)[None])
    assert (lookup[0, :, 8, 8] > 0.5).nonzero().tolist() == [[(2 + 4) * 9 + (-1 + 4)]]


def test_bfloat16_keeps_the_flow_in_float32() -> None:
    raft, clip = seeded_raft("small"), moving_texture(128, 128, u=1, v=0, frames=2)
    with torch.autocast("cpu", torch.bfloat16):
        flow = raft(clip)
    assert flow.forward.dtype == torch.float32
    assert (flow.forward - raft(clip).forward).abs().mean() < 0.1


def test_padding_gives_flow_of_the_original_size() -> None:
    padding = ReplicatePad(8, centre_rows=False)
    assert padding.margins(133, 150) == (1, 1, 0, 3)
    flow = seeded_raft("small", fitting=padding)(moving_texture(133, 150, u=1, v=0, frames=2))
    assert flow.forward.shape == (1, 1, 2, 133, 150)


def test_one_frame_has_no_flow() -> None:
    flow = seeded_raft("small")(Clip(images=torch.rand(2, 1, 3, 128, 130)))
    assert flow.forward.shape == (2, 0, 2, 128, 130)


def test_small_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 128x128 pixels, but these are 120x160"):
        seeded_raft("small")(Clip(images=torch.rand(1, 2, 3, 120, 160)))


def test_it_stays_in_evaluation_mode_and_passes_no_gradient() -> None:
    raft = raft_small()
    raft.train()
    assert not raft.training
    assert not any(parameter.requires_grad for parameter in raft.parameters())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("layout", ["princeton", "torchvision"])
def test_both_published_layouts_load_strictly(size: str, layout: str, tmp_path: Path) -> None:
    state = seeded(size, layout)
    torch.save(state, tmp_path / "raft.pth")
    raft = SIZES[size]()
    raft.load_weights(tmp_path / "raft.pth")
    stem = {"princeton": "module.cnet.conv1.weight", "torchvision": "context_encoder.convnormrelu.0.weight"}[layout]
    assert torch.equal(raft.context_encoder.convnormrelu[0].weight, state[stem])

    state.pop(stem)
    torch.save(state, tmp_path / "raft.pth")
    with pytest.raises(WeightsError, match="context_encoder.convnormrelu.0.weight"):
        raft.load_weights(tmp_path / "raft.pth")


def test_only_the_second_name_of_a_shortcut_norm_is_dropped() -> None:
    state = {key.removeprefix("module."): value for key, value in seeded("large", "princeton").items()}
    dropped = {key for key in state if ".norm3." in key}
    assert len(dropped) == 10
    assert len(to_torchvision_layout(state)) == len(state) - len(dropped)


def test_weights_are_read_at_the_first_clip(tmp_path: Path) -> None:
    raft = raft_small(weights=tmp_path / "raft_small.pth")
    clip = Clip(images=torch.rand(1, 1, 3, 128, 128))
    with pytest.raises(FileNotFoundError, match="prepare.weights raft_small"):
        raft(clip)
    torch.save(seeded("small", "princeton"), tmp_path / "raft_small.pth")
    raft(clip)
    (tmp_path / "raft_small.pth").unlink()
    raft(clip)


def test_the_other_size_is_refused(tmp_path: Path) -> None:
    torch.save(seeded("large", "torchvision"), tmp_path / "raft.pth")
    with pytest.raises(WeightsError, match="does not fit"):
        raft_small().load_weights(tmp_path / "raft.pth")
