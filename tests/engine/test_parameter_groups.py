"""Parameter groups, clipping by groups and limits per epoch: in a training, and over a resume."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from motion4d.data.sampling import EpochBatches
from motion4d.engine.parameter_groups import ByName, Group, partition
from motion4d.engine.progress import Progress
from motion4d.engine.schedule import Constant, LinearThenCosine
from motion4d.io.weights import read_state_dict
from tests.engine.toys import FailingLosses, toy_task
from tests.reference.pytest_cases import cases_of, check

SGD = partial(torch.optim.SGD, lr=1.0)


@pytest.mark.parametrize("case", cases_of("page4d", kinds=["learning_rate", "mask_alpha"]))
def test_reference(case) -> None:
    check(case)


def _toy_groups() -> ByName:
    return ByName(
        partial(torch.optim.AdamW, betas=(0.9, 0.99)),
        {
            "first": Group(["net.0.*"], {"lr": 0.01, "weight_decay": 0.0}, LinearThenCosine(warm_up=0.5)),
            "last": Group(["net.3.*"], {"lr": 0.03, "weight_decay": 0.1}),
        },
    )


def test_every_group_has_its_own_rate_at_every_step(tmp_path: Path) -> None:
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, *arguments, **keywords):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(*arguments, **keywords)

    groups = ByName(
        partial(Watched, lr=1.0),
        {
            "first": Group(["net.0.*"], {"lr": 0.1}, LinearThenCosine(warm_up=0.5, start=0.0, final=0.0)),
            "last": Group(["net.3.*"], {}),
        },
    )
    toy_task(tmp_path, optimizer=groups, scheduler=Constant(), steps=4).run()
    expected = [(0.0, 1.0), (0.05, 1.0), (0.1, 1.0), (0.05, 1.0)]
    assert seen == [pytest.approx(pair, abs=1e-6) for pair in expected]


def test_a_killed_training_with_groups_and_a_limit_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    settings = {"optimizer": _toy_groups(), "batches_per_epoch": 3, "clip_groups": ["net.0.*", "net.3.*"]}
    toy_task(tmp_path / "whole", **settings).run()
    with pytest.raises(RuntimeError, match="killed"):
        toy_task(tmp_path / "killed", **settings, losses=FailingLosses(5)).run()
    toy_task(tmp_path / "killed", **settings).run()
    whole, again = (read_state_dict(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with pytest.raises(ValueError, match="limit=3, this run has limit=2"):
        toy_task(tmp_path / "killed", **settings | {"batches_per_epoch": 2}, steps=9).run()


def test_groups_must_be_disjoint_complete_and_in_use() -> None:
    named = list(nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Linear(1, 1)}).named_parameters())
    with pytest.raises(ValueError, match=r"optimizer.groups: b.weight belongs to no group; every trained parameter"):
        ByName(SGD, {"a": Group(["a.*"], {})})(named)
    with pytest.raises(ValueError, match=r"optimizer.groups: a.weight belongs to all and a;"):
        ByName(SGD, {"all": Group(["*"], {}), "a": Group(["a.*"], {})})(named)
    with pytest.raises(ValueError, match="no trained parameter belongs to c"):
        ByName(SGD, {"all": Group(["*"], {}), "c": Group(["c.*"], {})})(named)
    assert [len(part) for part in partition(named, {"x": ["a.*"], "y": ["b.bias", "b.w*"]}, "key").values()] == [2, 2]


def test_each_group_is_clipped_by_itself(tmp_path: Path) -> None:
    norms = []

    class Watched(torch.optim.SGD):
        def step(self, *arguments, **keywords):
            parts = [self.param_groups[0]["params"][:2], self.param_groups[0]["params"][2:]]
            norms.append([float(torch.stack([p.grad.norm() for p in part]).norm()) for part in parts])
            return super().step(*arguments, **keywords)

    optimizer = partial(Watched, lr=1e-3)
    settings = {"optimizer": optimizer, "clip_norm": 1e-4, "steps": 2}
    toy_task(tmp_path / "together", **settings).run()
    together = norms.copy()
    norms.clear()
    toy_task(tmp_path / "apart", **settings, clip_groups=["net.0.*", "net.3.*"]).run()
    assert all(sum(norm**2 for norm in pair) == pytest.approx(1e-8, rel=1e-2) for pair in together)
    assert all(pair == pytest.approx([1e-4, 1e-4], rel=1e-2) for pair in norms)
    with pytest.raises(ValueError, match="training.clip_groups: net.3.weight belongs to no group"):
        toy_task(tmp_path / "none", **settings, clip_groups=["net.0.*"]).run()


def test_an_epoch_can_be_shorter_than_the_data() -> None:
    batches = list(EpochBatches(12, 2, stop=5, limit=2))
    assert [epoch for batch in batches for epoch, _ in batch] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert batches[3:] == list(EpochBatches(12, 2, start=3, stop=5, limit=2))
    progress = Progress(20, num_clips=12, batch_size=2, limit=2)
    assert (progress.batches_per_epoch, progress.epochs) == (2, 10)
