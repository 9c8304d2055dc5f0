"""The contract of motion4d.flow.base, kept by every option of the config group `flow`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.flow.base import FlowEstimator
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.precomputed import Precomputed
from motion4d.io.flow_files import write_flow
from tests.flow.seeded import seeded_network
from tests.flow.texture import moving_texture


def network(manifest: str, **settings: Any) -> Callable[[Clip, Path], FlowEstimator]:
    """A network with seeded weights."""
    return lambda clip, folder: seeded_network(manifest, **settings)


def dis(clip: Clip, _: Path) -> FlowEstimator:
    return DenseInverseSearch()


def dis_fine(clip: Clip, _: Path) -> FlowEstimator:
    return DenseInverseSearch(finest_scale=0)


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


CONF = Path(__file__).parents[2] / "conf"
OPTIONS = {
    "dis": dis,
    "dis_fine": dis_fine,
    "precomputed": precomputed,
    "raft": network("raft-large.torchvision", iterations=1),
    "raft_small": network("raft-small.torchvision", iterations=1),
    "sea_raft": network("sea-raft-m", iterations=1),
    "sea_raft_small": network("sea-raft-s", iterations=1),
    "gmflow": network("gmflow-scale1"),
    "gmflow_scale2": network("gmflow-scale2"),
    "unimatch": network("gmflow-scale2-regrefine6", refinements=1),
}
# Pixels of error on a translated texture. The networks' published weights are not here: their reference cases pin the
# numbers of seeded ones, sign and axis included (tests/flow/test_raft.py, test_sea_raft.py, test_gmflow.py).
ACCURACY = {"dis": 0.2, "dis_fine": 0.1, "precomputed": 0.2}
LOOSE = {"gmflow", "gmflow_scale2", "unimatch"}  # a softmax over random features magnifies rounding


def test_every_option_of_the_group_is_here() -> None:
    assert sorted([*OPTIONS, "none"]) == sorted(file.stem for file in (CONF / "flow").glob("*.yaml"))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("size", [(128, 161), (150, 131)])
def test_contract(option: str, size: tuple[int, int], tmp_path: Path) -> None:
    clip = moving_texture(*size, u=3, v=-2, frames=3, batch=2)
    clip.sources = tuple(Source("texture", f"sequence{b}", ("a", "b", "c")) for b in range(2))
    before = clip.images.clone()
    estimator = OPTIONS[option](clip, tmp_path)
    tolerance = {"atol": 2e-2 if option in LOOSE else 1e-4, "rtol": 1e-4}
    flow = estimator(clip)
    assert flow.backward is not None
    assert isinstance(estimator.in_workers, bool)
    assert flow.forward.shape == flow.backward.shape == (2, 2, 2, *size)
    assert flow.forward.dtype == flow.backward.dtype == torch.float32
    assert torch.isfinite(flow.forward).all()
    assert not flow.forward.requires_grad
    assert torch.equal(clip.images, before)
    if option in ACCURACY:
        truth = torch.tensor([3.0, -2.0]).view(2, 1, 1)
        for field, wanted in ((flow.forward, truth), (flow.backward, -truth)):
            assert (field - wanted)[..., 8:-8, 8:-8].norm(dim=2).median() < ACCURACY[option]

    # a batch is its items, and the clip played backwards has the two directions exchanged
    one = estimator(Clip(images=clip.images[1:], sources=clip.sources[1:]))
    torch.testing.assert_close(one.forward, flow.forward[1:], **tolerance)
    if option != "precomputed":
        reverse = estimator(Clip(images=clip.images.flip(1), sources=clip.sources))
        torch.testing.assert_close(reverse.forward, flow.backward.flip(1), **tolerance)

    alone = estimator(clip.frames(0, 1))
    assert alone.backward is not None
    assert alone.forward.shape == alone.backward.shape == (2, 0, 2, *size)
