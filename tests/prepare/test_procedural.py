"""python -m prepare.procedural: what cannot be rendered is one sentence (what is written: test_benchmarks.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from prepare import procedural


@pytest.mark.parametrize("words", [["--frames", "0"], ["--sequences", "-1"], ["--sequences", "0"], ["--seed", "-3"]])
def test_sizes_that_mean_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert procedural.main(["--layout", "davis", "--root", str(tmp_path), *words]) == 1
    error = capsys.readouterr().err
    assert "at least" in error
    assert len(error.strip().splitlines()) == 1


def test_a_layout_with_a_camera_of_its_own_has_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert procedural.main(["--layout", "tum", "--root", str(tmp_path), "--height", "64"]) == 1
    assert "its images are those of a camera of 480x640" in capsys.readouterr().err
