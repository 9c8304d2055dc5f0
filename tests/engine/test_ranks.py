"""Two ranks on the CPU, in a process of their own (ranks are forked, so nothing may have run before)."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from motion4d.engine.errors import RankFailed
from motion4d.engine.ranks import has_outer_launcher, rank, run_ranks
from motion4d.io.weights import read_state_dict
from tests.engine.toys import FailingLosses, ToyModel, toy_losses, toy_task

SGD = partial(torch.optim.SGD, lr=0.1)


def _train(folder: Path, batch_size: int, fail_at: int | None) -> None:
    losses = toy_losses if fail_at is None or rank() == 0 else FailingLosses(fail_at)
    toy_task(folder, batch_size=batch_size, losses=losses, ema=None).run()


def _plain(folder: Path, batch_size: int) -> None:
    """No dropout, no adaptive rates: what remains is the gradient."""
    toy_task(folder, model=ToyModel(dropout=0), optimizer=SGD, batch_size=batch_size, ema=None).run()


def main(folder: Path) -> None:
    """Everything that the test below looks at."""
    two = partial(run_ranks, num_processes=2, folder=folder)
    two(_plain, (folder / "ranks", 1))
    two(_train, (folder / "whole", 1, None))
    try:
        two(_train, (folder / "cut", 1, 4))
    except RankFailed as error:
        (folder / "error.txt").write_text(str(error))
    two(_train, (folder / "cut", 1, None))
    _plain(folder / "single", 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-c", f"from tests.engine.test_ranks import *; main(Path({str(folder)!r}))"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_two_ranks_average_their_gradients(runs: Path) -> None:
    ours = read_state_dict(runs / "ranks" / "weights.safetensors")
    single = read_state_dict(runs / "single" / "weights.safetensors")
    start = ToyModel(dropout=0).state_dict()
    for name, value in single.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(single["net.0.weight"], start["net.0.weight"], atol=1e-3)


def test_two_ranks_evaluate_every_sequence_once(runs: Path) -> None:
    shared, alone = (json.loads((runs / name / "metrics.json").read_text()) for name in ("ranks", "single"))
    assert shared["models"]["ours"]["overall"]["sequences"] == 3
    assert shared["main"] == pytest.approx(alone["main"], abs=1e-3)


def test_a_failed_rank_is_named_and_two_ranks_resume_exactly(runs: Path) -> None:
    assert (runs / "error.txt").read_text().startswith("rank1 failed: RuntimeError: killed")
    whole, cut = (list(csv.DictReader((runs / name / "training.csv").open())) for name in ("whole", "cut"))
    assert whole == cut


def test_an_outer_launcher_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not has_outer_launcher()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    called: list[int] = []
    run_ranks(lambda: called.append(rank()), (), num_processes=4, folder=tmp_path)
    assert called == [1]
