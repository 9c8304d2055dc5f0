"""Two ranks on the CPU, in a process of their own (ranks are forked, so nothing may have run before)."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.cli import retried
from motion4d.clip import Clip, Motion
from motion4d.engine.errors import RankFailed
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.ranks import has_outer_launcher, rank, run_ranks
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window
from motion4d.io.weights import read_state_dict
from tests.engine.davis_like import Folders, write_davis_like
from tests.engine.toy import Brightness
from tests.engine.toys import FailingLosses, ToyModel, toy_losses, toy_task

SGD = partial(torch.optim.SGD, lr=0.1)


def _train(folder: Path, batch_size: int, fail_at: int | None) -> None:
    losses = toy_losses if fail_at is None or rank() == 0 else FailingLosses(fail_at)
    toy_task(folder, batch_size=batch_size, losses=losses, ema=None).run()


def _plain(folder: Path, batch_size: int) -> None:
    """No dropout, no adaptive rates: what remains is the gradient."""
    toy_task(folder, model=ToyModel(dropout=0), optimizer=SGD, batch_size=batch_size, ema=None).run()


def _evaluate(folder: Path) -> None:
    data = {"eval": Folders(folder.parent / "data")}
    runtime = Runtime(device="cpu", precision="fp32", threads=1)
    Evaluate(Brightness(), data, output=folder, runtime=runtime, window=Window(4, 0), pictures=1).run()


class TakenAway:
    """Losses that make a cluster's signal come while rank 0 is at its third step."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, prediction: Motion, clip: Clip) -> dict[str, torch.Tensor]:
        self.calls += 1
        if self.calls == 3 and rank() == 0:
            os.kill(os.getppid(), signal.SIGUSR2)
            time.sleep(0.5)
        return toy_losses(prediction, clip)


def _train_taken_away(folder: Path) -> None:
    toy_task(folder, batch_size=1, losses=TakenAway(), ema=None, steps=8).run()


def _requeue(folder: Path) -> None:
    """What submitit does: its handler leaves the job, and the job begins again."""
    os.environ["SUBMITIT_EXECUTOR"] = "local"
    signal.signal(signal.SIGUSR2, lambda *_: sys.exit("requeued"))
    try:
        run_ranks(_train_taken_away, (folder / "taken",), num_processes=2, folder=folder)
    except SystemExit as error:
        (folder / "requeued.txt").write_text(str(error))
    run_ranks(_train, (folder / "taken", 1, None), num_processes=2, folder=folder)


class Crash:
    """toy_losses; the first process that comes to the n-th call is killed, as by a machine that ran out of memory."""

    def __init__(self, at: int, mark: Path) -> None:
        self.left = at
        self.mark = mark

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return toy_losses(*arguments)


def _train_with_crash(folder: Path, crash: Crash | None) -> None:
    toy_task(folder, losses=crash or toy_losses).run()


def _mistaken(folder: Path) -> None:
    with (folder / "mistakes.txt").open("a") as file:
        file.write("once\n")
    raise ValueError("no frames")


def _retry(folder: Path) -> None:
    alone = partial(run_ranks, num_processes=1, folder=folder, apart=True)
    crash = Crash(5, folder / "crashed")
    retried(lambda: alone(_train_with_crash, (folder / "retried", crash)), retries=1)
    alone(_train_with_crash, (folder / "calm", None))
    try:
        retried(lambda: alone(_mistaken, (folder,)), retries=3)
    except RankFailed as error:
        (folder / "mistake.txt").write_text(str(error))


def main(folder: Path) -> None:
    """Everything that the test below looks at."""
    _retry(folder)
    two = partial(run_ranks, num_processes=2, folder=folder)
    two(_plain, (folder / "ranks", 1))
    two(_train, (folder / "whole", 1, None))
    try:
        two(_train, (folder / "cut", 1, 4))
    except RankFailed as error:
        (folder / "error.txt").write_text(str(error))
    two(_train, (folder / "cut", 1, None))
    write_davis_like(folder / "data", {"cat": 5, "dog": 6, "goat": 3})
    two(_evaluate, (folder / "eval_two",))
    _requeue(folder)
    _plain(folder / "single", 2)
    _evaluate(folder / "eval_one")


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
    # trained apart, the weights agree to 1e-4 only: a pixel of these small masks may flip
    assert shared["main"] == pytest.approx(alone["main"], abs=0.06)


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


def test_ranks_share_the_sequences_of_a_benchmark(runs: Path) -> None:
    one, two = (json.loads((runs / name / "metrics.json").read_text()) for name in ("eval_one", "eval_two"))
    assert one == two
    assert one["models"]["ours"]["overall"]["sequences"] == 3
    assert (runs / "eval_two" / "sequences.csv").read_text() == (runs / "eval_one" / "sequences.csv").read_text()


def test_ranks_that_are_taken_away_save_and_go_on_with_the_same_numbers(runs: Path) -> None:
    assert (runs / "requeued.txt").read_text() == "requeued"
    whole, taken = (list(csv.DictReader((runs / name / "training.csv").open())) for name in ("whole", "taken"))
    assert [row["total"] for row in whole] == [row["total"] for row in taken]


def test_a_process_that_is_killed_is_started_again_and_goes_on(runs: Path) -> None:
    assert (runs / "crashed").exists()
    calm, again = (list(csv.DictReader((runs / name / "training.csv").open())) for name in ("calm", "retried"))
    assert calm == again


def test_what_a_user_has_to_mend_is_not_tried_again(runs: Path) -> None:
    assert (runs / "mistakes.txt").read_text() == "once\n"
    assert (runs / "mistake.txt").read_text().startswith("rank0 failed: ValueError: no frames (traceback in")
