"""eval.speed measures every small row, and says which rows there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eval import speed
from eval.rows import ROWS
from eval.rows.base import Setting


def test_a_row_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fusion", "--frames", "2", "--size", "56x70", "--repeats", "1", "--threads", "1"]
    assert speed.main([*arguments, "--output", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [row["form"] for row in rows] == list(ROWS["fusion"].forms)
    assert all(row["seconds"] > 0 for row in rows)
    assert rows[0]["speedup"] is None
    assert rows[1]["speedup"] == pytest.approx(rows[0]["seconds"] / rows[1]["seconds"])
    assert "windows around patch centres" in capsys.readouterr().out


def test_the_plain_form_can_be_left_out(tmp_path: Path) -> None:
    arguments = ["fusion", "--frames", "2", "--size", "28x28", "--repeats", "1", "--threads", "1", "--skip-plain"]
    assert speed.main([*arguments, "--output", str(tmp_path)]) == 0
    (row,) = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert (row["form"], row["speedup"]) == ("windows around patch centres", None)


def test_several_lengths_in_turn(tmp_path: Path) -> None:
    arguments = ["fusion", "--frames", "2", "3", "--size", "28x28", "--repeats", "1", "--threads", "1", "--skip-plain"]
    assert speed.main([*arguments, "--output", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [row["frames"] for row in rows] == [2, 3]


@pytest.mark.parametrize("row", [name for name, row in ROWS.items() if not row.full_size])
def test_every_small_form_runs(row: str) -> None:
    for build in ROWS[row].forms.values():
        build(Setting(frames=2, height=224, width=224, threads=1))()


def test_an_unknown_row_is_an_error_that_lists_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["pi4"])
    assert "there are fusion, procedural" in capsys.readouterr().err


def test_a_broken_size_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        speed.main(["--size", "224"])
    assert "a size is HEIGHTxWIDTH" in capsys.readouterr().err
