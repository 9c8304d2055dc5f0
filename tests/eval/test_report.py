"""eval.report: runs and sweeps on one page, with their protocols, weights, failures and what papers report."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval import report
from eval.published import PUBLISHED, published_on
from motion4d.io.files import write_json, write_text
from motion4d.io.images import write_image

SENTENCE = "there is no data/FBMS59; run python -m prepare.fbms & look <again>"


def write_run(
    folder: Path, dataset: str, *, scores: dict[str, Any] | None = None, status: str = "done", error: str | None = None
) -> None:
    """A run folder as task=eval leaves it."""
    words = ["+experiment=geomotion", "task=eval", f"data={dataset}", f"output={folder}"]
    write_json(folder / "status.json", {"job": 0, "overrides": words, "status": status, "error": error, "seconds": 3.5})
    write_text(folder / "config.yaml", "name: geomotion\n")
    if scores is not None:
        means = {"protocol": "geomotion", "sequences": 2, "frames": 50, **scores}
        models = {"ours": {"overall": means, "groups": {dataset: means}}}
        metrics = {"main": scores, "weights": {"ours": "shipped geomotion.safetensors (1a2b3c4d)"}, "models": models}
        write_json(folder / "metrics.json", {**metrics, "failed": {}})


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A sweep of two good jobs and a failed one, and pictures of the first."""
    write_run(tmp_path / "sweep/0", "davis2016", scores={"J&F": 0.71, "J": 0.7, "F": 0.72})
    write_run(tmp_path / "sweep/1", "procedural_hard", scores={"J&F": 0.5, "J": 0.6, "F": 0.4, "static": 0.01})
    write_run(tmp_path / "sweep/2", "fbms59", status="failed", error=SENTENCE)
    write_image(tmp_path / "sweep/0/pictures/davis2016_dog.png", np.full((40, 1500, 3), 90, np.uint8))
    write_text(tmp_path / "sweep/.submitit/9/status.json", "not a run")
    return tmp_path / "sweep"


def test_a_sweep_becomes_one_page(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(runs), "--output", str(tmp_path / "page")]) == 1
    console = capsys.readouterr().out
    assert f"2 has a problem: {SENTENCE}" in console
    assert "3 runs, 1 with problems: 2" in console
    page = (tmp_path / "page/report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "look &lt;again&gt;" in page
    assert "shipped geomotion.safetensors (1a2b3c4d)" in page
    with (tmp_path / "page/report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    ours = [row for row in rows if row["kind"] == "run"]
    assert [(row["dataset"], row["protocol"], row["J&F"]) for row in ours] == [
        ("davis2016", "geomotion", "0.71"),
        ("procedural_hard", "geomotion", "0.5"),
        ("fbms59", "", ""),
    ]
    assert rows[-1]["status"] == "failed"
    assert "| davis2016 | geomotion | geomotion | shipped" in (tmp_path / "page/report.md").read_text()


def test_numbers_of_papers_stand_beside_the_same_data_set_and_say_how_sure_they_are(runs: Path, tmp_path: Path) -> None:
    report.main([str(runs), "--output", str(tmp_path / "page")])
    with (tmp_path / "page/report.csv").open(newline="") as file:
        cited = [row for row in csv.DictReader(file) if row["kind"] == "published"]
    assert {row["dataset"] for row in cited} == {"davis2016"}
    assert all(row["source"].startswith(("confirmed: ", "secondary: ")) for row in cited)
    (geomotion,) = [row for row in cited if row["system"] == "GeoMotion"]
    assert (geomotion["J&F"], geomotion["protocol"]) == ("0.847", "geomotion")
    assert geomotion["source"].startswith("secondary")


def test_numbers_of_papers_stand_beside_cameras_and_depth(tmp_path: Path) -> None:
    write_run(tmp_path / "run", "tum_dynamics", scores={"AbsRel": 0.2, "ATE": 0.1, "RPE trans": 0.02, "RPE rot": 1.0})
    assert report.main([str(tmp_path / "run"), "--output", str(tmp_path / "page")]) == 0
    with (tmp_path / "page/report.csv").open(newline="") as file:
        cited = {row["system"]: row for row in csv.DictReader(file) if row["kind"] == "published"}
    assert (cited["MonST3R"]["ATE"], cited["MonST3R"]["protocol"]) == ("0.072", "tum")
    assert cited["DUSt3R"]["source"].startswith("confirmed")


def test_only_numbers_that_were_seen_are_there() -> None:
    values = {value for one in PUBLISHED for value in one.metrics.values()}
    assert not values & {0.586, 0.531, 0.721, 0.676, 0.654, 0.723, 0.727, 0.773, 0.677, 0.755}
    assert published_on("DAVIS2016-moving", ())[0].system == "GeoMotion"
    assert {one.system for one in published_on("davis2017", ("geomotion",))} == {"GeoMotion"}
    assert "OSVOS" in {one.system for one in published_on("davis2017", ("davis2017_semi",))}


def test_runs_of_several_places_have_distinct_names(runs: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "other/0", "davis2016", scores={"J&F": 0.8, "J": 0.8, "F": 0.8})
    assert report.main([str(runs / "0"), str(tmp_path / "other"), "--output", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page/report.html").read_text()
    assert "sweep/0" in page
    assert "other/0" in page
    assert '<td class="number best">0.800</td>' in page
    assert '<td class="number best">0.710</td>' not in page


def test_a_run_that_was_killed_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path / "run", "davis2016", status="running", scores={"J": 0.123})
    assert report.main([str(tmp_path / "run")]) == 1
    shown = capsys.readouterr().out
    assert "it has not ended, or was killed" in shown
    assert "0.123" not in shown  # of an earlier run in this folder


def test_a_folder_without_runs_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err


DAMAGE = {
    "status.json": ['{"status": "do', "[1]", '{"ok": true}'],
    "metrics.json": ['{"models": 1', "[]"],
    "config.yaml": ["name: [geo\n x: {", "- a\n"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_a_damaged_run_is_a_problem_and_does_not_hide_the_others(
    runs: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (runs / "1" / name).write_text(text)
    assert report.main([str(runs / "0"), str(runs / "1")]) == 1
    shown = capsys.readouterr().out
    assert re.search(rf"1 has a problem: .*{name} (is not a valid|does not )", shown)
    assert "0.710" in shown


def test_a_damaged_picture_does_not_hide_the_others(runs: Path, tmp_path: Path) -> None:
    (runs / "0/pictures/broken.png").write_bytes(b"no picture")
    assert report.main([str(runs / "0"), "--output", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page/report.html").read_text()
    assert "broken.png cannot be read" in page
    assert page.count("data:image/jpeg;base64,") == 1


def test_a_run_that_scores_nothing_did_not_fail(tmp_path: Path) -> None:
    write_run(tmp_path / "run", "davis2016")  # task=predict, or the metrics of another task
    write_json(tmp_path / "run/metrics.json", {"models": {"ours": {"other": 1}}})
    assert report.main([str(tmp_path / "run"), "--output", str(tmp_path / "page")]) == 0
    assert 'class="failed"' not in (tmp_path / "page/report.html").read_text()


def test_of_errors_the_smallest_is_the_best(tmp_path: Path) -> None:
    for name, error in (("one", 0.21), ("two", 0.34)):
        write_run(tmp_path / name, "sintel", scores={"AbsRel": error, "delta1": 1 - error, "ATE": error / 3})
    assert report.main([str(tmp_path), "--output", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page/report.html").read_text()
    for best, other in (("0.210", "0.340"), ("0.790", "0.660"), ("0.070", "0.113")):
        assert f'<td class="number best">{best}</td>' in page
        assert f'<td class="number">{other}</td>' in page
