"""python -m eval.segmentation: numbers, files, and what it says when masks do not match."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
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


def test_it_works_without_torch() -> None:
    code = "import sys, eval.segmentation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
