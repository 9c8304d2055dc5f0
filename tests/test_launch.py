"""launch.py as a user meets it: help, typing errors, bad input, sweeps. Each test is one process, at toy size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from motion4d.cli import build, compose, describe, gpu_count, guarded, quoted_path, retried, sweep_rows
from motion4d.engine.errors import Incomplete
from motion4d.engine.run_folder import flattened, redacted, redacted_override

ROOT = Path(__file__).parents[1]
TINY = [
    *("+experiment=geomotion", "data=procedural_easy", "data.eval.num_clips=1", "data.eval.num_frames=3"),
    *("data.eval.height=48", "data.eval.width=64", "model.framing.pixel_limit=3072", "baselines=null"),
    *("runtime.device=cpu", "runtime.workers=0", "runtime.threads=1"),
]


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run launch.py from the repository root."""
    command = [sys.executable, "launch.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment)


def test_help_shows_commands_and_groups() -> None:
    done = launch("--help")
    assert done.returncode == 0
    assert "python launch.py +experiment=geomotion task=predict input=clip.mp4" in done.stdout
    assert "experiment: geomotion" in done.stdout
    assert "$" + "(python" in done.stdout


@pytest.mark.parametrize(
    ("override", "message"),
    [("trainin.steps=3", "trainin"), ("flow=dsi", "dis"), ("experiment=geomotion", "+experiment=geomotion")],
)
def test_a_typing_error_is_answered_without_a_traceback(override: str, message: str) -> None:
    done = launch(override)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = launch(*TINY, f"output={tmp_path / 'file' / 'run'}")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot make the folder")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_trains_evaluates_and_says_so(tmp_path: Path) -> None:
    sizes = ["data.train.num_frames=3", "data.train.height=48", "data.train.width=64", "training.steps=2"]
    done = launch(*TINY, *sizes, "training.log_every=1", "training.batch_size=1", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "step 2/2  loss" in done.stdout
    assert "J&F" in done.stdout
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["status"], status["error"]) == ("done", None)
    for name in ("config.yaml", "environment.json", "metrics.json", "sequences.csv", "training.csv", "launch.log"):
        assert (tmp_path / name).is_file(), name


def test_a_sweep_goes_on_after_a_failed_job_and_tells(tmp_path: Path) -> None:
    jobs = ["task=eval", "checkpoint=none,missing.safetensors", "hydra/launcher=submitit_local"]
    done = launch("-m", *TINY, *jobs, f"output={tmp_path}")
    assert done.returncode == 3, done.stderr + done.stdout
    rows = json.loads((tmp_path / "summary.json").read_text())
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "J" in rows[0] or "static" in rows[0]
    assert "2 jobs, 1 failed: 1" in done.stdout
    assert "missing.safetensors" in rows[1]["error"]
    log = (tmp_path / "1" / "launch.log").read_text()
    assert "Traceback" in log
    assert "FileNotFoundError" in log
    assert "validated against ConfigStore" not in done.stderr


def test_a_guarded_job_writes_its_status(tmp_path: Path) -> None:
    def fail() -> None:
        raise Incomplete("1 of 3 sequences failed")

    def stop() -> None:
        raise KeyboardInterrupt

    for number, (work, code) in enumerate([(lambda: None, 0), (fail, 1), (stop, 130)]):
        folder = tmp_path / str(number)
        assert guarded(work, folder, {"job": number, "overrides": ["vlm.api_key=abc"]}) == code
    rows = sweep_rows(tmp_path)
    assert [row["status"] for row in rows] == ["done", "incomplete", "interrupted"]
    assert "abc" not in (tmp_path / "0" / "status.json").read_text()


def test_only_what_nobody_can_explain_is_tried_again() -> None:
    calls: list[Exception] = []

    def failing(error: Exception) -> None:
        calls.append(error)
        raise error

    for error, expected in ((RuntimeError("lost device"), 3), (ValueError("no frames"), 1)):
        calls.clear()
        with pytest.raises(type(error)):
            retried(lambda error=error: failing(error), retries=2)
        assert len(calls) == expected


def test_errors_become_sentences() -> None:
    assert describe(ValueError("no frames\n  in here")) == "no frames in here"
    assert describe(KeyError("depth")) == "KeyError: 'depth'"


@pytest.mark.parametrize("name", ["my clip (1).mp4", "it's, a=b [x] {y}.mp4", "plain.mp4"])
def test_any_name_of_a_file_can_be_the_input(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    word = quoted_path(f"input={tmp_path / name}")
    assert compose(ROOT / "conf", ["task=predict", word]).input == str(tmp_path / name)


def test_words_that_name_no_file_stay_as_they_are() -> None:
    for word in ("-m", "data=a,b", "betas=[0.9,0.99]", "input='quoted (1).mp4'", "output="):
        assert quoted_path(word) == word


def test_a_value_of_the_wrong_kind_is_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = compose(ROOT / "conf", ["task=predict", "threshold=abc"])
    assert guarded(lambda: build(config.task), tmp_path, {"job": 0, "overrides": []}) == 1
    assert "a value of task is of the wrong kind" in caplog.text
    assert "Traceback" not in caplog.text


def test_secrets_never_reach_the_run_folder() -> None:
    config = {"vlm": {"api_key": "abc", "model": "m"}, "hub_token": "abc", "tokens": 5}
    assert redacted(config) == {"vlm": {"api_key": "(hidden)", "model": "m"}, "hub_token": "(hidden)", "tokens": 5}
    assert redacted_override("vlm.api_key=abc") == "vlm.api_key=(hidden)"
    assert redacted_override("flow=dis") == "flow=dis"


def test_trackers_get_flat_configs() -> None:
    assert flattened({"a": {"b": 1, "c": [2]}, "d": None}) == {"a.b": 1, "a.c": "[2]", "d": "None"}


def test_gpus_are_counted_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert gpu_count() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_count() == 0
