"""python -m eval.segmentation: numbers, files, and what it says when masks do not match."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.segmentation import main

CASES = Path(__file__).parents[1] / "reference" / "moseg-eval"
ANNOTATIONS, PREDICTIONS = CASES / "davis" / "Annotations" / "480p", CASES / "results" / "semi"


def _write(folder: Path, sequence: str, stems: list[str], *, size: tuple[int, int] = (8, 6)) -> None:
    (folder / sequence).mkdir(parents=True, exist_ok=True)
    mask = np.zeros(size, dtype=np.uint8)
    mask[2:4, 2:4] = 255
    for stem in stems:
        Image.fromarray(mask).save(folder / sequence / f"{stem}.png")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two sequences of four frames, predicted perfectly."""
    stems = ["8", "9", "10", "11"]
    for folder in ("annotations", "predictions"):
        for sequence in ("one", "two"):
            _write(tmp_path / folder, sequence, stems)
    return tmp_path / "annotations", tmp_path / "predictions"


def _run(annotations: Path, predictions: Path, *more: str) -> int:
    return main(["--annotations", str(annotations), "--predictions", str(predictions), *more])


def test_published_davis2016_numbers_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(ANNOTATIONS, PREDICTIONS, "--output", str(tmp_path / "out"), "--sequences", "car-shadow", "judo") == 0
    expected = json.loads((CASES / "davis_expected.json").read_text())["davis2016"]["per_sequence"]
    with (tmp_path / "out" / "per_sequence.csv").open() as file:
        rows = {row["sequence"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        assert float(row["J-Mean"]) == pytest.approx(expected[name]["J"]["M"], abs=1e-12)
        assert float(row["F-Decay"]) == pytest.approx(expected[name]["F"]["D"], abs=1e-12)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["sequences"] == {"car-shadow": 38, "judo": 32}
    assert metrics["protocol"] == "davis2016"
    with (tmp_path / "out" / "per_frame.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 70
    assert "protocol davis2016: 2 sequences, 70 frames scored" in capsys.readouterr().out


def test_frames_protocol_scores_every_frame_in_natural_order(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*folders, "--protocol", "frames", "--output", str(tmp_path / "out")) == 0
    with (tmp_path / "out" / "per_frame.csv").open() as file:
        assert [row["frame"] for row in csv.DictReader(file)][:4] == ["8", "9", "10", "11"]
    assert "8 frames scored" in capsys.readouterr().out


def test_one_bad_sequence_does_not_end_the_others(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "one" / "9.png").unlink()
    assert _run(*folders) == 1
    captured = capsys.readouterr()
    assert "one is not scored: 1 of 2 scored frames have no prediction: 9" in captured.err
    assert "1 sequences, 2 frames scored; 1 not scored: one" in captured.out


def test_unscored_frames_need_no_prediction(folders: tuple[Path, Path]) -> None:
    (folders[1] / "one" / "8.png").unlink()
    assert _run(*folders) == 0
    assert _run(*folders, "--protocol", "frames") == 1


def test_extra_size_and_damage_are_named(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _write(folders[1], "one", ["12"])
    _write(folders[1], "two", ["9"], size=(9, 6))
    assert _run(*folders) == 1
    error = capsys.readouterr().err
    assert "one is not scored: 1 predictions have no annotation: 12" in error
    assert "two is not scored: frame 9: the annotation is 6x8, but the prediction is 6x9" in error
    (folders[1] / "two" / "9.png").write_bytes(b"\x89PNG broken")
    assert _run(*folders, "--ignore-extra") == 1
    assert "cannot decode the mask" in capsys.readouterr().err


def test_extra_and_missing_sequences(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _write(folders[1], "three", ["8"])
    assert _run(*folders) == 2
    assert "sequences without annotation: three" in capsys.readouterr().err
    shutil.rmtree(folders[1] / "three")
    shutil.rmtree(folders[1] / "two")
    assert _run(*folders) == 1
    assert "two is not scored: 2 of 2 scored frames have no prediction" in capsys.readouterr().err


def test_a_folder_of_masks_is_one_sequence(folders: tuple[Path, Path]) -> None:
    assert _run(folders[0] / "one", folders[1] / "two") == 0


def test_missing_folders_are_one_sentence(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(folders[0] / "nothing", folders[1]) == 2
    assert capsys.readouterr().err.strip().endswith("nothing")
    (folders[0] / "empty").mkdir()
    assert _run(folders[0] / "empty", folders[1]) == 2
    assert "holds no masks" in capsys.readouterr().err


def test_objects_have_rows_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--protocol", "davis2017_semi", "--sequences", "judo", "--per-sequence", "--output", str(tmp_path)]
    assert _run(ANNOTATIONS, PREDICTIONS, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["judo_1", "judo_2"]
    assert lines[4].startswith("mean over objects")
    assert lines[5].startswith("mean over sequences")
    with (tmp_path / "per_frame.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["object"], row["frame"]) for row in rows[30:34]] == [
        ("1", "00031"),
        ("1", "00032"),
        ("2", "00001"),
        ("2", "00002"),
    ]
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["overall"] == metrics["mean_over_objects"]


def test_sequences_are_printed_on_request(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(*folders) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:3]] == ["mean over sequences", "mean over frames"]
    assert len(lines) == 4


def test_names_that_are_positions(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    for sequence in ("one", "two"):
        for position, stem in enumerate(["8", "9", "10", "11"]):
            file = folders[1] / sequence / f"{stem}.png"
            file.rename(file.with_stem(f"dynamic_mask_{position}"))
    assert _run(*folders, "--protocol", "frames") == 1
    assert _run(*folders, "--protocol", "frames", "--positions", "dynamic_mask_*") == 0
    _write(folders[1], "one", ["dynamic_mask_4"])
    assert _run(*folders, "--protocol", "frames", "--positions", "dynamic_mask_*") == 2
    assert "there are 4 annotated frames, but also dynamic_mask_4.png" in capsys.readouterr().err
    assert _run(*folders, "--positions", "dynamic_mask_") == 2
    assert "needs exactly one *" in capsys.readouterr().err


def test_fbms_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fbms = CASES / "fbms"
    folders = fbms / "official" / "Testset", fbms / "tracks" / "Testset"
    assert _run(*folders, "--protocol", "fbms", "--per-sequence", "--output", str(tmp_path)) == 0
    assert "protocol fbms: 3 sequences, 9 frames scored" in capsys.readouterr().out
    expected = json.loads((CASES / "fbms_expected.json").read_text())["Testset@0.75"]["overall"]
    overall = json.loads((tmp_path / "metrics.json").read_text())["overall"]
    assert overall["F"] == pytest.approx(expected["F"], abs=1e-5)
    assert overall["Extracted"] == expected["extracted"]
    assert not (tmp_path / "per_frame.csv").exists()
    assert _run(*folders, "--protocol", "fbms", "--sequences", "dog") == 2


def test_a_sequence_that_nobody_annotated_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(ANNOTATIONS, PREDICTIONS, "--sequences", "judo", "judoo") == 2
    assert "has no masks of judoo" in capsys.readouterr().err
