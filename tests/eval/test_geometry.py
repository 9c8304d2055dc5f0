"""eval.depth and eval.pose: files of every form, numbers, sentences and exit statuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eval import depth, pose
from motion4d.io.depth_files import write_depth_png
from motion4d.io.tum_files import write_poses
from tests.metrics.test_camera_trajectories import moved, poses

RNG = np.random.default_rng(0)
TRUTH = {"cat": 1 + 8 * RNG.random((5, 12, 16)), "dog": 1 + 8 * RNG.random((4, 12, 16))}


def write_npy(folder: Path, name: str, maps: np.ndarray) -> None:
    (folder / name).mkdir(parents=True)
    for k, one in enumerate(maps):
        np.save(folder / name / f"frame_{k}.npy", one)


def write_npz(folder: Path, name: str, maps: np.ndarray) -> None:
    (folder / name).mkdir(parents=True)
    np.savez(folder / name / "depth.npz", **{f"frame_{k}": one for k, one in enumerate(maps)})


def write_whole(folder: Path, name: str, maps: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", maps.astype(np.float32))


def write_whole_npy(folder: Path, name: str, maps: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", maps)


def write_png(folder: Path, name: str, maps: np.ndarray) -> None:
    for k, one in enumerate(maps):
        write_depth_png(folder / name / "depth" / f"{k:04d}.png", one, per_unit=5000)


def test_every_form_of_files_gives_the_same_numbers(tmp_path: Path) -> None:
    scores = []
    for number, write in enumerate((write_npy, write_npz, write_whole, write_whole_npy, write_png)):
        truth, predictions, output = (tmp_path / str(number) / part for part in ("truth", "predictions", "scores"))
        for name, maps in TRUTH.items():
            write_npy(truth, name, maps)
            write(predictions, name, maps / 2 + 0.3)
        words = [
            "--protocol",
            "video",
            "--alignment",
            "median",
            "--truth",
            str(truth),
            "--predictions",
            str(predictions),
        ]
        assert depth.main([*words, "--predictions-per-unit", "5000", "--output", str(output)]) == 0
        scores.append(json.loads((output / "metrics.json").read_text())["overall"])
        with (output / "per_sequence.csv").open() as file:
            assert [row["frames"] for row in csv.DictReader(file)] == ["5", "4"]
    assert scores[0]["AbsRel"] > 0.01
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], rel=2e-3)


def test_an_alignment_of_choice_and_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, maps in TRUTH.items():
        write_npy(tmp_path / "truth", name, maps)
        write_npy(tmp_path / "predictions", name, maps / 2 + 0.3)
    words = ["--protocol", "video", "--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / "predictions")]
    assert depth.main([*words, "--alignment", "lad", "--max-depth", "5", "--output", str(tmp_path / "scores")]) == 0
    scores = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert scores["overall"]["AbsRel"] < 1e-9
    assert scores["overall"]["pixels"] == sum(int((maps < 5).sum()) for maps in TRUTH.values())
    assert scores["protocol"] == "video, alignment lad, max depth 5"
    assert "protocol video, alignment lad, max depth 5: 2 sequences, 9 frames scored" in capsys.readouterr().out
    assert depth.main([*words[:1], "mono", *words[2:], "--output", str(tmp_path / "mono"), "--per-sequence"]) == 0
    with (tmp_path / "mono" / "per_frame.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 9


def test_what_cannot_be_scored_is_named_and_the_rest_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dog = TRUTH["dog"]
    for name, maps in {**TRUTH, "elk": dog, "fox": dog, "gnu": dog, "hen": np.full_like(dog, np.nan)}.items():
        write_npy(tmp_path / "truth", name, maps)
    write_npy(tmp_path / "predictions", "cat", TRUTH["cat"])
    write_npy(tmp_path / "predictions", "dog", TRUTH["dog"][:3])
    write_npy(tmp_path / "predictions", "elk", np.where(np.arange(16) == 3, np.nan, TRUTH["dog"]))
    write_npy(tmp_path / "predictions", "fox", TRUTH["dog"])
    write_npy(tmp_path / "predictions", "hen", TRUTH["dog"])
    (tmp_path / "predictions" / "fox" / "frame_1.npy").write_bytes(b"nothing")
    words = ["--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / "predictions")]
    assert depth.main(["--protocol", "video", *words, "--output", str(tmp_path / "scores")]) == 1
    said = capsys.readouterr()
    assert "dog is not scored: 3 predictions do not fit 4 frames" in said.err
    assert "elk is not scored: frame 0 (counted from 0): the prediction is NaN or infinite at 12 of 192" in said.err
    assert "fox is not scored: cannot read the depth" in said.err
    assert "gnu is not scored: there are no predictions" in said.err
    assert "hen is not scored: no pixel of the truth has a depth that is finite, above 0" in said.err
    assert "1 sequences, 5 frames scored; 5 not scored: dog, elk, fox, gnu, hen" in said.out
    assert sorted(json.loads((tmp_path / "scores" / "metrics.json").read_text())["not_scored"]) == [
        "dog",
        "elk",
        "fox",
        "gnu",
        "hen",
    ]


def test_names_that_differ_are_matched_by_order_and_single_sequences_anyway(tmp_path: Path) -> None:
    write_npy(tmp_path, "truth", TRUTH["dog"])
    (tmp_path / "predictions").mkdir()
    for k, one in enumerate(TRUTH["dog"]):
        np.save(tmp_path / "predictions" / f"{k + 1:04d}.npy", 3 * one)
    words = ["--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / "predictions")]
    assert depth.main(["--protocol", "video", *words, "--output", str(tmp_path / "scores")]) == 0
    scores = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert (scores["frames"], scores["overall"]["delta1"]) == (4, 1.0)


@pytest.mark.parametrize(
    ("command", "words", "sentence"),
    [
        (depth, ["--truth", "{}/nowhere", "--predictions", "{}"], "there is no folder"),
        (depth, ["--truth", "{}", "--predictions", "{}"], "holds no depth maps"),
        (depth, ["--predictions", "{}"], "say where the truth lies: --truth FOLDER, or --dataset NAME --root FOLDER"),
        (depth, ["--dataset", "sintel", "--root", "{}/nowhere", "--predictions", "{}"], "python -m prepare.sintel"),
        (pose, ["--truth", "{}", "--predictions", "{}"], "holds no trajectories"),
        (pose, ["--truth", "{}/nowhere", "--predictions", "{}"], "there is no folder or file"),
    ],
)
def test_unusable_folders_are_one_sentence(
    command: object, words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main: Callable[[list[str]], int] = command.main  # type: ignore[attr-defined]
    assert main(["--protocol", "sintel", *(word.format(tmp_path) for word in words)]) == 2
    assert sentence in capsys.readouterr().err


def test_a_png_needs_its_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_png(tmp_path / "maps", "dog", TRUTH["dog"])
    words = ["--truth", str(tmp_path / "maps"), "--predictions", str(tmp_path / "maps")]
    assert depth.main(["--protocol", "video", *words]) == 1
    assert "say how many of its values are one unit of depth" in capsys.readouterr().err


def test_predictions_without_truth_are_refused_unless_they_may_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, maps in TRUTH.items():
        write_npy(tmp_path / "predictions", name, maps)
    write_npy(tmp_path / "truth", "dog", TRUTH["dog"])
    words = ["--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / "predictions")]
    assert depth.main(["--protocol", "video", *words]) == 2
    assert "has sequences without truth: cat" in capsys.readouterr().err
    assert depth.main(["--protocol", "video", *words, "--ignore-extra"]) == 0


def test_trajectories_in_both_orders_of_the_quaternion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = poses(12)
    for name in ("cat", "dog"):
        write_poses(tmp_path / "truth" / f"{name}.txt", range(12), truth)
        write_poses(tmp_path / "tum" / name / "trajectory.txt", range(12), moved(truth, 0.3))
        rows = np.loadtxt(tmp_path / "tum" / name / "trajectory.txt")
        (tmp_path / "published" / name).mkdir(parents=True)
        np.savetxt(tmp_path / "published" / name / "pred_traj.txt", rows[:, (0, 1, 2, 3, 7, 4, 5, 6)])
    for folder, more in (("tum", []), ("published", ["--scalar-first"])):
        words = ["--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / folder), *more]
        assert pose.main(["--protocol", "sintel", *words, "--output", str(tmp_path / "scores")]) == 0
        scores = json.loads((tmp_path / "scores" / "metrics.json").read_text())
        assert max(scores["overall"].values()) < 1e-6
        assert scores["frames"] == 24
    assert "protocol sintel: 2 sequences, 24 frames scored" in capsys.readouterr().out


def test_trajectories_that_cannot_be_scored_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = poses(12)
    for name in ("cat", "dog", "elk", "fox", "gnu", "hen"):
        write_poses(tmp_path / "truth" / f"{name}.txt", 0.5 + np.arange(12), truth)
    write_poses(tmp_path / "predictions" / "cat.txt", range(12), truth)
    write_poses(tmp_path / "predictions" / "dog.txt", range(11), truth[:11])
    (tmp_path / "predictions" / "elk.txt").write_text("0 1 2 3\n")
    write_poses(tmp_path / "predictions" / "gnu.txt", np.r_[:6, 7, 6, 8:12], truth)
    (tmp_path / "predictions" / "hen.txt").write_text("0 1 2 3 0 0 0 1\n1 1 2 3 0 0 0 0\n")
    words = ["--truth", str(tmp_path / "truth"), "--predictions", str(tmp_path / "predictions")]
    assert pose.main(["--protocol", "sim3", *words, "--per-sequence"]) == 1
    said = capsys.readouterr().err
    assert "dog is not scored: the trajectories have 11 (predicted) and 12 poses" in said
    assert "elk is not scored" in said
    assert "stamp tx ty tz qx qy qz qw" in said
    assert "fox is not scored: there is no prediction" in said
    assert "gnu.txt: pose 7 (counted from 0) is of an earlier time than the one before; sort the lines" in said
    assert "pose 1, counted from 0, has a quaternion of zeros" in said
    assert pose.main(["--protocol", "sim3", *words, "--max-difference", "0.6", "--sequences", "dog"]) == 0
