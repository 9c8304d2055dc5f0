"""task=eval on data sets on disk: files in the benchmark's form, numbers of its protocol, nothing done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval import segmentation
from motion4d.engine.errors import Incomplete
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.evaluation import Evaluation
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window
from motion4d.framing import Square
from motion4d.io.labels import read_labels
from motion4d.refine.even_odd import EvenOdd
from motion4d.refine.sam2 import Sam2Tracker
from tests.engine.davis_like import SIZE, Folders, write_davis_like
from tests.engine.toy import Brightness, Stems
from tests.refine.small import small_network


def task(model: Any, data: Any, output: Path, **changes: Any) -> Evaluate:
    settings: dict[str, Any] = {"window": Window(4, 0), "checkpoint": "none", "evaluation": Evaluation()}
    runtime = Runtime(device="cpu", precision="fp32")
    return Evaluate(model, {"eval": data}, output=output, runtime=runtime, **{**settings, **changes})


@pytest.mark.parametrize("protocol", ["geomotion", "davis2016", "davis2017_unsupervised"])
def test_the_numbers_are_those_of_eval_segmentation_on_the_files(tmp_path: Path, protocol: str) -> None:
    write_davis_like(tmp_path / "data", {"dog": 7, "goat": 9})
    data = Folders(tmp_path / "data", protocol)
    metrics = task(Brightness(Square(16)), data, tmp_path / "run", pictures=2).run()
    predictions = tmp_path / "run" / "predictions" / "ours" / "davis_like"
    arguments = ["--protocol", protocol, "--annotations", str(data.annotations), "--predictions", str(predictions)]
    assert segmentation.main([*arguments, "--output", str(tmp_path / "scores")]) == 0
    scores = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    ours = metrics["models"]["ours"]["groups"]["davis_like"]
    assert (ours["protocol"], ours["sequences"]) == (protocol, 2)
    for pooling, row in ours["poolings"].items():
        expected = scores[pooling.replace(" ", "_")]
        assert row["J"] == pytest.approx(expected["J-Mean"])
        assert row["F"] == pytest.approx(expected["F-Mean"])
    assert metrics["main"]["J&F"] > 0.5
    assert sorted(file.name for file in (predictions / "dog").iterdir())[:2] == ["00000.png", "00001.png"]
    values = np.unique(read_labels(predictions / "goat" / "00003.png"))
    assert (len(values) > 2) == (protocol == "geomotion")
    assert read_labels(predictions / "goat" / "00003.png").shape == SIZE
    assert len(list((tmp_path / "run" / "pictures").glob("*.png"))) == 2


def test_interleaved_groups_come_back_in_order(tmp_path: Path) -> None:
    write_davis_like(tmp_path / "data", {"dog": 11})
    models = [Stems(Square(16)) for _ in range(2)]
    for number, model in enumerate(models):
        evaluation = Evaluation(interleave=(1, 4)[number])
        task(model, Folders(tmp_path / "data"), tmp_path / str(number), evaluation=evaluation).run()
    assert models[0].stems[0] == ("00000", "00001", "00002", "00003")
    assert set(models[1].stems) == {
        ("00000", "00004", "00008"),
        ("00001", "00005", "00009"),
        ("00002", "00006", "00010"),
        ("00003", "00007"),
    }
    for file in (tmp_path / "0" / "predictions" / "ours" / "davis_like" / "dog").iterdir():
        other = tmp_path / "1" / "predictions" / "ours" / "davis_like" / "dog" / file.name
        np.testing.assert_array_equal(read_labels(file), read_labels(other))


@pytest.mark.parametrize("labelled_only", [False, True])
def test_sparse_labels(tmp_path: Path, labelled_only: bool) -> None:
    write_davis_like(tmp_path / "data", {"cars": 12}, label_every=3)
    model = Stems(Square(16))
    evaluation = Evaluation(interleave=2, labelled_only=labelled_only)
    task(model, Folders(tmp_path / "data"), tmp_path / "run", evaluation=evaluation).run()
    written = sorted(file.stem for file in (tmp_path / "run/predictions/ours/davis_like/cars").iterdir())
    assert written == ["00000", "00003", "00006", "00009"]
    first = ("00000", "00003", "00006", "00009") if labelled_only else ("00000", "00002", "00004", "00006")
    assert model.stems[0] == first


def test_frames_of_another_size_are_brought_to_the_annotation(tmp_path: Path) -> None:
    write_davis_like(tmp_path / "data", {"dog": 5}, image_size=(2 * SIZE[0], 2 * SIZE[1]))
    metrics = task(Brightness(), Folders(tmp_path / "data", "frames"), tmp_path / "run").run()
    assert metrics["main"]["J"] > 0.95


def test_finished_sequences_are_not_predicted_again(tmp_path: Path) -> None:
    write_davis_like(tmp_path / "data", {"dog": 5, "goat": 5})
    data, output = Folders(tmp_path / "data"), tmp_path / "run"
    first = task(Stems(Square(16)), data, output).run()
    again = Stems(Square(16))
    assert task(again, data, output).run() == first
    assert again.stems == []
    (output / "predictions/ours/davis_like/goat/00002.png").unlink()
    assert task(again, data, output).run() == first
    assert again.seen == [4, 2]
    other = Stems(Square(16))
    task(other, data, output, window=Window(5, 0)).run()
    assert other.seen == [5, 5]


def test_a_broken_sequence_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    write_davis_like(tmp_path / "data", {"cat": 4, "dog": 5, "goat": 5})
    (tmp_path / "data/JPEGImages/cat/00002.png").write_bytes(b"not an image")
    (tmp_path / "data/Annotations/dog/00001.png").write_bytes(b"not an image")
    data, output = Folders(tmp_path / "data"), tmp_path / "run"
    with pytest.raises(Incomplete, match="2 sequences failed"):
        task(Brightness(), data, output, pictures=3).run()
    metrics = json.loads((output / "metrics.json").read_text())
    assert sorted(metrics["failed"]) == ["davis_like/cat", "davis_like/dog"]
    assert "00002.png" in metrics["failed"]["davis_like/cat"]
    assert metrics["models"]["ours"]["groups"]["davis_like"]["sequences"] == 1
    assert not list(output.glob("predictions/ours/davis_like/.*"))


def test_two_data_sets_and_a_baseline_in_one_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_davis_like(tmp_path / name, {"dog": 4})
    data = {name: Folders(tmp_path / name, "frames", name) for name in ("one", "two")}
    metrics = task(Brightness(), data, tmp_path / "run", baselines={"other": Stems(Square(16))}).run()
    assert {name: list(model["groups"]) for name, model in metrics["models"].items()} == {
        "ours": ["one", "two"],
        "other": ["one", "two"],
    }
    assert (tmp_path / "run/predictions/other/two/dog/00003.png").is_file()


def test_our_masks_are_refined_by_sam2_and_the_baseline_s_are_not(tmp_path: Path) -> None:
    write_davis_like(tmp_path / "data", {"dog": 4})
    refiner = EvenOdd(Sam2Tracker(network=small_network()))
    models = {"baselines": {"plain": Brightness()}, "refine": refiner}
    task(Brightness(), Folders(tmp_path / "data"), tmp_path / "run", **models).run()
    folders = [tmp_path / "run" / "predictions" / name / "davis_like" / "dog" for name in ("ours", "plain")]
    ours, plain = ([read_labels(folder / f"{k:05d}.png") for k in range(4)] for folder in folders)
    assert all(mask.shape == SIZE for mask in ours)
    assert any((a != b).any() for a, b in zip(ours, plain, strict=True))  # what random weights say is noise


def test_an_unknown_protocol_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no protocol geomotoin; there are davis2016, .*geomotion"):
        Evaluation(protocol="geomotoin")
