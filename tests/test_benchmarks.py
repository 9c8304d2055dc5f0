"""Published data sets as a user evaluates them: launch.py, sweeps, jobs that are taken away, one page at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval import report
from motion4d.io.files import read_json
from tests.engine.davis_like import write_davis_like
from tests.test_launch import ROOT, TINY, launch

SMALL = [
    *("+experiment=geomotion", "task=eval", "data.sequences=all", "model.framing.pixel_limit=3072", "baselines=null"),
    *("runtime.device=cpu", "runtime.threads=1", "runtime.precision=fp32"),
]


def write_data(root: Path) -> None:
    """DAVIS and SegTrack v2 with a sequence or two."""
    folders = {"images": "JPEGImages/480p", "annotations": "Annotations/480p"}
    write_davis_like(root / "DAVIS", {"dog": 6, "goat": 5}, **folders)
    folders = {"images": "JPEGImages_jpg_standardized", "annotations": "GroundTruth"}
    write_davis_like(root / "SegTrackv2", {"frog": 5}, **folders)


def test_a_data_set_is_evaluated_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path / "data")
    words = ["data=davis2016", f"paths.data={tmp_path / 'data'}", f"output={tmp_path / 'run'}"]
    done = launch(*SMALL, *words, "evaluation.protocol=geomotion", "evaluation.interleave=2")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "davis2016" in done.stdout
    assert (tmp_path / "run/predictions/ours/davis2016/goat/00004.png").is_file()
    assert report.main([str(tmp_path / "run"), "--output", str(tmp_path / "page")]) == 0
    shown = capsys.readouterr().out
    assert "shipped geomotion.safetensors (" in shown
    assert "secondary: pages about the paper" in shown
    assert (tmp_path / "page/report.html").read_text().count("<img ") == 2


def test_missing_data_is_one_sentence_with_the_command_that_brings_it(tmp_path: Path) -> None:
    done = launch(*SMALL, "data=segtrackv2", f"paths.data={tmp_path}", f"output={tmp_path / 'run'}")
    assert done.returncode == 1
    assert "python -m prepare.segtrack" in read_json(tmp_path / "run/status.json")["error"]


@pytest.mark.slow
def test_a_sweep_over_data_sets_ends_in_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_data(tmp_path / "data")
    words = [f"paths.data={tmp_path / 'data'}", f"output={tmp_path / 'sweep'}", "hydra/launcher=submitit_local"]
    # Hydra composes the sweep itself without its choices, and procedural data have no list of sequences
    small = [word.replace("data.sequences", "++data.sequences") for word in SMALL]
    done = launch("-m", *small, "data=davis2016,fbms59,segtrackv2", *words)
    assert done.returncode == 3, done.stderr + done.stdout
    assert [row["status"] for row in read_json(tmp_path / "sweep/summary.json")] == ["done", "failed", "done"]
    assert report.main([str(tmp_path / "sweep"), "--output", str(tmp_path / "page")]) == 1
    shown = capsys.readouterr().out
    assert "1 has a problem: " in shown
    assert "prepare.fbms" in shown
    page = (tmp_path / "page/report.html").read_text()
    for text in ("davis2016", "segtrackv2", "GMOS", "prepare.fbms"):
        assert text in page


@pytest.mark.slow
def test_a_job_that_is_taken_away_goes_on_from_its_run_folder(tmp_path: Path) -> None:
    sizes = ["data.train.num_frames=3", "data.train.height=48", "data.train.width=64", "training.batch_size=1"]
    words = ["training.steps=40", "training.log_every=1", "training.pictures=0", f"output={tmp_path}"]
    command = [sys.executable, "launch.py", "-m", *TINY, *sizes, *words, "hydra/launcher=submitit_local"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as sweep:
        _wait_for(tmp_path / "0/training.csv")
        os.kill(_job(tmp_path), signal.SIGUSR2)
        assert sweep.wait(timeout=600) == 0
    assert read_json(tmp_path / "0/status.json")["status"] == "done"
    log = (tmp_path / "0/launch.log").read_text()
    assert "requeued: the job will go on in" in log
    assert "resumed at step" in log
    steps = [line.split(",")[0] for line in (tmp_path / "0/training.csv").read_text().splitlines()[1:]]
    assert steps == [str(step) for step in range(1, 41)]


@pytest.mark.slow
def test_a_job_that_is_killed_does_not_end_the_sweep(tmp_path: Path) -> None:
    words = ["task=eval", "seed=0,1", "hydra/launcher=submitit_local", f"output={tmp_path}"]
    command = [sys.executable, "launch.py", "-m", *TINY, *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as sweep:
        _wait_for(tmp_path / "0/status.json")
        os.kill(_job(tmp_path), signal.SIGKILL)
        assert sweep.wait(timeout=600) == 3
    rows = read_json(tmp_path / "summary.json")
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "killed from outside" in rows[0]["error"]


def _wait_for(file: Path, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not file.is_file():
        assert time.monotonic() < end, f"{file} did not appear"
        time.sleep(0.2)


def _job(sweep: Path) -> int:
    """The process that works on the only job: a child of submitit's controller, whose number is the job's."""
    (controller,) = [folder.name for folder in (sweep / ".submitit").iterdir() if folder.name.isdigit()]
    children = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
    return int(children[0])
