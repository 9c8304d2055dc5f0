"""Training: the loss falls, a killed run goes on exactly, bad settings and checkpoints are refused."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from motion4d.cli import build, compose, describe
from motion4d.data.frame_choice import Strided
from motion4d.data.sequence_clips import SequenceClips
from motion4d.engine.ema import Ema
from motion4d.engine.progress import Progress
from motion4d.engine.schedule import Constant, Cosine, CosinePerEpoch
from motion4d.engine.training import Training
from motion4d.io.weights import read_state_dict
from motion4d.layouts.hoi4d import hoi4d
from motion4d.layouts.sequence import SequenceFiles
from tests.engine.toys import FailingLosses, ToyClips, ToyModel, toy_losses, toy_task

CONF = Path(__file__).parents[2] / "conf"


def _losses(folder: Path) -> list[dict[str, str]]:
    with (folder / "training.csv").open() as lines:
        return list(csv.DictReader(lines))


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_state_dict(folder / "weights.safetensors")


def test_a_training_lowers_the_loss_and_leaves_its_folder(tmp_path: Path) -> None:
    summary = toy_task(tmp_path, steps=40, log_every=10, pictures=2, ema=None).run()
    rows = _losses(tmp_path)
    assert [row["step"] for row in rows] == ["10", "20", "30", "40"]
    assert float(rows[-1]["total"]) < 0.5 * float(rows[0]["total"])
    assert summary["main"]["J"] > 0.8
    assert json.loads((tmp_path / "metrics.json").read_text())["main"] == pytest.approx(summary["main"])
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2
    assert [f.name for f in sorted((tmp_path / "checkpoints").iterdir())] == ["step_00000039", "step_00000040"]
    assert sorted(_weights(tmp_path)) == ["net.0.bias", "net.0.weight", "net.3.bias", "net.3.weight"]
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.mark.parametrize("option", ["davis2016", "fbms59"])
def test_a_benchmark_is_nothing_to_train_on(option: str, tmp_path: Path) -> None:
    config = compose(CONF, ["+experiment=geomotion", "baselines=null", f"data={option}", f"output={tmp_path}"])
    with pytest.raises(Exception, match="ValueError") as raised:
        build(config.task)
    sentence = describe(raised.value)
    assert sentence.startswith(f"data={option} is for evaluation only, it has no training clips: train on data=proced")
    assert "\n" not in sentence


def test_missing_data_is_known_before_the_first_step(tmp_path: Path) -> None:
    def layout() -> list[SequenceFiles]:
        return hoi4d(tmp_path / "nowhere")

    for part in ("train", "eval"):
        data = {"train": ToyClips(), "eval": ToyClips(3)} | {part: SequenceClips("test", layout, Strided(3))}
        task = toy_task(tmp_path / part, data=data)
        with pytest.raises(FileNotFoundError, match="there is no .*nowhere; run: python -m prepare.hoi4d"):
            task.run()
        assert not (tmp_path / part / "training.csv").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_goes_on_with_the_same_numbers(tmp_path: Path, workers: int) -> None:
    toy_task(tmp_path / "whole", workers=workers, accumulation=2).run()
    with pytest.raises(RuntimeError, match="killed"):  # at step 5 of 8, in the second of its batches
        toy_task(tmp_path / "cut", workers=workers, accumulation=2, losses=FailingLosses(at=9)).run()
    assert not (tmp_path / "cut" / "weights.safetensors").exists()
    toy_task(tmp_path / "cut", workers=workers, accumulation=2).run()
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")
    for name, value in _weights(tmp_path / "whole").items():
        assert torch.equal(value, _weights(tmp_path / "cut")[name]), name


def test_an_interrupt_saves_the_step_and_resume_goes_on_from_it(tmp_path: Path) -> None:
    def interrupt_after_four(prediction: Any, clip: Any, calls: list[int] = []) -> Any:  # noqa: B006
        calls.append(1)
        if len(calls) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return toy_losses(prediction, clip)

    with pytest.raises(KeyboardInterrupt):
        toy_task(tmp_path / "cut", checkpoint_every=None, losses=interrupt_after_four).run()
    assert [f.name for f in (tmp_path / "cut" / "checkpoints").iterdir()] == ["step_00000004"]
    toy_task(tmp_path / "cut", checkpoint_every=None).run()
    toy_task(tmp_path / "whole", checkpoint_every=None).run()
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")


def test_resume_from_another_folder_and_none(tmp_path: Path) -> None:
    toy_task(tmp_path / "first", steps=3).run()
    fresh = toy_task(tmp_path / "second", steps=3, resume=str(tmp_path / "first"))
    fresh.run()  # nothing is left to do: it evaluates
    assert torch.equal(_weights(tmp_path / "first")["net.0.weight"], _weights(tmp_path / "second")["net.0.weight"])
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        toy_task(tmp_path / "third", resume=str(tmp_path)).run()


def test_a_resume_that_cannot_be_exact_is_an_error(tmp_path: Path) -> None:
    toy_task(tmp_path, steps=3).run()
    with pytest.raises(ValueError, match="batch_size=2, this run has batch_size=3"):
        toy_task(tmp_path, batch_size=3).run()
    newest = tmp_path / "checkpoints" / "step_00000003"
    weights = (newest / "model.safetensors").read_bytes()
    (newest / "model.safetensors").write_bytes(weights[:100])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        toy_task(tmp_path).run()
    (newest / "model.safetensors").write_bytes(weights)
    (newest / "random_states_0.pkl").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="random_states_0.pkl cannot be read"):
        toy_task(tmp_path).run()
    (newest / "random_states_0.pkl").unlink()
    with pytest.raises(FileNotFoundError, match="random_states_0.pkl is missing"):
        toy_task(tmp_path).run()


def test_finetuning_starts_from_a_checkpoint(tmp_path: Path) -> None:
    toy_task(tmp_path / "first", steps=30, ema=None).run()
    toy_task(tmp_path / "next", steps=1, ema=None, checkpoint=str(tmp_path / "first"), log_every=1).run()
    assert float(_losses(tmp_path / "next")[0]["total"]) < 0.5 * float(_losses(tmp_path / "first")[0]["total"])


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    def broken(prediction: Any, clip: Any) -> Any:
        return {"total": prediction.logits.sum() * float("nan")}

    with pytest.raises(ValueError, match="the loss became nan at step 1"):
        toy_task(tmp_path, losses=broken).run()


def test_a_broken_sequence_is_counted_and_the_others_are_scored(tmp_path: Path) -> None:
    data = {"train": ToyClips(), "eval": ToyClips(3, broken=1)}
    with pytest.raises(RuntimeError, match="1 sequences failed.*clip 1 cannot be read"):
        toy_task(tmp_path, data=data, steps=1).run()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert list(metrics["failed"]) == ["/1"]
    assert metrics["models"]["ours"]["overall"]["sequences"] == 2


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Training(steps=1, epochs=1)
    with pytest.raises(ValueError, match=r"training\.batch_size"):
        Training(steps=1, batch_size=0)
    assert Training(epochs=3, batch_size=2, accumulation=2).progress(13, seed=0, ranks=1).steps == 9
    with pytest.raises(ValueError, match="decay"):
        Ema(1.0)


def test_too_little_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the training set has 1 clips"):
        toy_task(tmp_path, data={"train": ToyClips(1), "eval": ToyClips(1)}).run()


def test_published_schedule_is_torchs_cosine_per_epoch() -> None:
    optimizer = torch.optim.SGD(ToyModel().parameters(), lr=5e-5)
    published = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=5e-6)
    ours = CosinePerEpoch(final=0.1)
    for epoch in range(20):
        progress = Progress(steps=20 * 7, num_clips=7, step=7 * epoch + 3)
        assert 5e-5 * ours(progress) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        published.step()


def test_schedules_warm_up_and_end_where_they_say() -> None:
    progress = Progress(steps=100)
    rates = [Cosine(warmup=9, final=0.1)(Progress(steps=100, step=k)) for k in (0, 4, 9, 100)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 0.1])
    assert Constant()(progress) == 1.0
