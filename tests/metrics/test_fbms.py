"""The FBMS-59 evaluation: published numbers, invariants, bad input."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motion4d.io.trajectories import read_trajectories
from motion4d.metrics.fbms import score_fbms
from motion4d.metrics.trajectories import Overlap, score_overlap
from tests.reference.manifest import HOME, Case
from tests.reference.pytest_cases import cases_of, check

FBMS = HOME / "moseg-eval" / "fbms"
OFFICIAL = FBMS / "official" / "Testset"


@pytest.mark.parametrize("case", cases_of("moseg-eval", kinds=["fbms_tracks", "fbms_dense"]))
def test_published_numbers(case: Case) -> None:
    check(case)


def test_tracks_and_label_images_from_folders(tmp_path: Path) -> None:
    for file in (FBMS / "tracks" / "Testset").iterdir():
        (tmp_path / file.stem).mkdir()
        shutil.copy(file, tmp_path / file.stem / "Tracks21.dat")
    tracks = score_fbms(OFFICIAL, tmp_path)
    assert tracks == score_fbms(OFFICIAL, FBMS / "tracks" / "Testset")
    assert [row["sequence"] for row in tracks.rows] == ["cars71", "cats77", "horses77"]
    images = score_fbms(OFFICIAL, FBMS / "pred" / "Testset", ["cars71"])
    assert images.overall == pytest.approx(score_fbms(OFFICIAL, tmp_path, ["cars71"]).overall)


def test_label_images_are_named_by_image_or_by_number(tmp_path: Path) -> None:
    (tmp_path / "cars71").mkdir()
    by_number = score_fbms(OFFICIAL, FBMS / "pred" / "Testset", ["cars71"]).overall
    for number in (0, 4, 9):
        shutil.copy(
            FBMS / "pred/Testset/cars71" / f"{number:05d}.png", tmp_path / "cars71" / f"cars71_{number + 1:04d}.png"
        )
    assert score_fbms(OFFICIAL, tmp_path, ["cars71"]).overall == by_number
    for file in list((tmp_path / "cars71").iterdir()):
        file.rename(file.with_stem(str(int(file.stem[-4:]))))
    assert "do the names count from 1?" in score_fbms(OFFICIAL, tmp_path, ["cars71"]).failures["cars71"]
    assert score_fbms(OFFICIAL, tmp_path, ["cars71"], first_frame=1).overall == by_number


def _overlap(regions: np.ndarray, labels: np.ndarray) -> Overlap:
    overlap = Overlap.empty(int(regions.max()) + 1, int(labels.max()) + 1)
    overlap.add_labels(regions, np.ones(regions.shape), labels)
    return overlap


def test_more_clusters_cost_nothing_and_fewer_do() -> None:
    regions = np.repeat([[0, 0, 0, 1, 1]], 4, axis=0)
    split = score_overlap(_overlap(regions, np.repeat([[2, 2, 0, 1, 1]], 4, axis=0)))
    assert (split.precision, split.recall, split.visible) == (1.0, pytest.approx(5 / 6), 1)
    assert split.extracted(0.75) == 1
    merged = score_overlap(_overlap(regions, np.zeros_like(regions)))
    assert (merged.precision, merged.recall) == (pytest.approx((0.6 + 1) / 2), 0.5)
    assert [match.cluster for match in merged.matches] == [0, None]


def test_points_round_to_pixels_and_may_lie_outside() -> None:
    overlap = Overlap.empty(1, 1)
    x, y = np.array([-0.9, 0.4, 2.6, 2.4]), np.array([0.0, 0.5, 0.0, 1.6])
    overlap.add_points(np.zeros((2, 3), dtype=np.int64), np.ones((2, 3)), x, y, np.zeros(4, dtype=np.int64))
    assert overlap.shared.tolist() == [[2.0]]  # (0, 0) and (1, 0); column 3 and row 2 do not exist


@pytest.mark.parametrize("text", ["10\n2\n0 1\n1 1 0\n", "10\n1\n0 2\n1 1 0\n1 1 2\n", "", "10\n1\n0 1\nx 1 0\n"])
def test_damaged_track_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.dat").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.dat is not a complete track file"):
        read_trajectories(tmp_path / "bad.dat")


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="choose a split of the archive"):
        score_fbms(tmp_path, tmp_path)
    with pytest.raises(ValueError, match="no definition .* of dog"):
        score_fbms(OFFICIAL, tmp_path, ["dog"])
    assert "neither cars71.dat nor label images" in score_fbms(OFFICIAL, tmp_path, ["cars71"]).failures["cars71"]
    (tmp_path / "cars71.dat").write_text("7\n0\n")
    assert "7 frames; 10, 50, 200 or all" in score_fbms(OFFICIAL, tmp_path, ["cars71"]).failures["cars71"]
    (tmp_path / "cars71.dat").unlink()
    (tmp_path / "cars71").mkdir()
    for number in range(10):
        Image.fromarray(np.zeros((3, 5), dtype=np.uint8)).save(tmp_path / "cars71" / f"{number}.png")
    assert "but its annotation is" in score_fbms(OFFICIAL, tmp_path, ["cars71"]).failures["cars71"]
