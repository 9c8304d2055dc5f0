"""The contract of motion4d.flow.base, kept by every option of the config group `flow`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.flow.base import FlowEstimator
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.precomputed import Precomputed
from motion4d.io.flow_files import write_flow
from tests.flow.test_raft import seeded_raft
from tests.flow.texture import moving_texture


def raft_large(clip: Clip, _: Path) -> FlowEstimator:
    return seeded_raft("large", iterations=1)


def raft_small(clip: Clip, _: Path) -> FlowEstimator:
    return seeded_raft("small", iterations=1)


def dis(clip: Clip, _: Path) -> FlowEstimator:
    return DenseInverseSearch()


def precomputed(clip: Clip, folder: Path) -> FlowEstimator:
    """Files of what DIS says."""
    flow = DenseInverseSearch()(clip)
    assert flow.backward is not None
    for source, forward, backward in zip(clip.sources, flow.forward, flow.backward, strict=True):
        for name, field in zip(source.frames, forward, strict=False):
            write_flow(folder / "forward" / source.sequence / f"{name}.flo", field.permute(1, 2, 0).numpy())
        for name, field in zip(source.frames[1:], backward, strict=False):
            write_flow(folder / "backward" / source.sequence / f"{name}.flo", field.permute(1, 2, 0).numpy())
    return Precomputed(folder, forward="forward/{sequence}/{frame}.flo", backward="backward/{sequence}/{frame}.flo")


@pytest.mark.parametrize("make", [dis, precomputed, raft_small, raft_large])
@pytest.mark.parametrize("size", [(128, 161), (150, 131)])
def test_contract(make: Callable[[Clip, Path], FlowEstimator], size: tuple[int, int], tmp_path: Path) -> None:
    clip = moving_texture(*size, u=3, v=-2, frames=3, batch=2)
    clip.sources = tuple(Source("texture", f"sequence{b}", ("a", "b", "c")) for b in range(2))
    before = clip.images.clone()
    estimator = make(clip, tmp_path)
    flow = estimator(clip)
    assert flow.backward is not None
    assert isinstance(estimator.in_workers, bool)
    assert flow.forward.shape == flow.backward.shape == (2, 2, 2, *size)
    assert flow.forward.dtype == flow.backward.dtype == torch.float32
    assert torch.isfinite(flow.forward).all()
    assert not flow.forward.requires_grad
    assert torch.equal(clip.images, before)

    # a batch is its items, and the clip played backwards has the two directions exchanged
    one = estimator(Clip(images=clip.images[1:], sources=clip.sources[1:]))
    torch.testing.assert_close(one.forward, flow.forward[1:], atol=1e-4, rtol=1e-4)
    if make is not precomputed:
        reverse = estimator(Clip(images=clip.images.flip(1), sources=clip.sources))
        torch.testing.assert_close(reverse.forward, flow.backward.flip(1), atol=1e-4, rtol=1e-4)

    alone = estimator(clip.frames(0, 1))
    assert alone.backward is not None
    assert alone.forward.shape == alone.backward.shape == (2, 0, 2, *size)
