"""Protocols from files: published numbers, what each of them scores, bad input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motion4d.layouts.sequence import SequenceFiles
from motion4d.metrics import folders
from motion4d.metrics.folders import FolderScores, score_folder
from motion4d.metrics.protocols import (
    DAVIS2016,
    DAVIS2017_SEMI,
    DAVIS2017_UNSUPERVISED,
    DAVIS_BINARY,
    EASI3R,
    FRAMES,
    GEOMOTION,
    SEGANYMO,
    Protocol,
)
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

KINDS = ("davis_evaluation", "geomotion_evaluation", "easi3r_evaluation")


@pytest.mark.parametrize("case", cases_of("moseg-eval", kinds=KINDS))
def test_published_numbers(case: Case) -> None:
    check(case)


def _labels(*boxes: tuple[int, int, int], size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Squares of side 6: (label, top, left)."""
    labels = np.zeros(size, dtype=np.uint8)
    for label, top, left in boxes:
        labels[top : top + 6, left : left + 6] = label
    return labels


def _save(folder: Path, frames: Sequence[np.ndarray]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{k:05d}": folder / f"{k:05d}.png" for k in range(len(frames))}
    for file, labels in zip(files.values(), frames, strict=True):
        Image.fromarray(labels).save(file)
    return files


def _score(
    tmp_path: Path, protocol: Protocol, truth: Sequence[np.ndarray], prediction: Sequence[np.ndarray]
) -> FolderScores:
    files = _save(tmp_path / "truth", truth), _save(tmp_path / "prediction", prediction)
    return score_folder(protocol, {"clip": files[0]}, {"clip": files[1]}, processes=1)


TWO = [_labels((1, 2, 2), (2, 12, 12))] * 4
SWAPPED = [_labels((2, 2, 2), (1, 12, 12))] * 4


def test_ids_must_agree_unless_they_are_assigned(tmp_path: Path) -> None:
    assert _score(tmp_path, DAVIS2017_SEMI, TWO, SWAPPED).overall["J-Mean"] == 0
    assert _score(tmp_path, DAVIS2017_UNSUPERVISED, TWO, SWAPPED).overall["J-Mean"] == 1
    assert _score(tmp_path, DAVIS_BINARY, TWO, SWAPPED).overall["J-Mean"] == 1


def test_protocols_count_their_own_frames(tmp_path: Path) -> None:
    frames = {protocol.name: _score(tmp_path, protocol, TWO, TWO).sequences["clip"] for protocol in (DAVIS2016, FRAMES)}
    assert frames == {"davis2016": 2, "frames": 4}
    scores = _score(tmp_path, DAVIS2017_SEMI, TWO[:2], TWO[:2])
    assert scores.failures["clip"] == "it has 2 annotated frames, of which the protocol davis2017_semi scores none"
    assert (scores.rows, scores.overall) == ([], {})


def test_missing_proposals_are_empty_masks(tmp_path: Path) -> None:
    scores = _score(tmp_path, DAVIS2017_UNSUPERVISED, TWO, [_labels((7, 12, 12))] * 3 + [_labels()])
    assert [row["J-Mean"] for row in scores.rows] == [0, 0.75]
    assert [row["object"] for row in scores.rows] == [1, 2]
    assert [row["Recall"] for row in scores.rows] == [0, 0.75]
    semi = _score(tmp_path, DAVIS2017_SEMI, TWO, [_labels((1, 2, 2))] * 4)
    assert [row["J-Mean"] for row in semi.rows] == [1, 0]


def test_void_pixels_do_not_count(tmp_path: Path) -> None:
    truth = [_labels((1, 2, 2), (255, 12, 12))] * 3
    assert _score(tmp_path, DAVIS2017_UNSUPERVISED, truth, [TWO[0] > 0] * 3).overall["J-Mean"] == 1
    assert _score(tmp_path, FRAMES, truth, [_labels((1, 2, 2))] * 3).overall["J-Mean"] == 0.5


def test_objects_are_those_of_the_first_annotation(tmp_path: Path) -> None:
    truth = [_labels((1, 2, 2)), *TWO[:3]]
    assert [row["object"] for row in _score(tmp_path, DAVIS2017_SEMI, truth, [_labels((1, 2, 2))] * 4).rows] == [1]
    late = [_labels((2, 2, 2)), *TWO[:3]]
    rows = _score(tmp_path, DAVIS2017_SEMI, late, late).rows
    assert [row["J-Mean"] for row in rows] == [1, 1]  # object 1 is absent from frame 0, but smaller than the largest id


@pytest.mark.parametrize(
    ("protocol", "truth", "prediction", "reason"),
    [
        (DAVIS2017_SEMI, TWO, [_labels((3, 2, 2))] * 4, "has the id 3, but the first annotation has 2 objects"),
        (DAVIS2017_SEMI, [_labels((255, 2, 2))] * 4, TWO, "the first annotation has no object ids"),
        (DAVIS2017_SEMI, TWO, [np.stack([TWO[0]] * 3, axis=-1)] * 4, "image of mode RGB, but object ids are wanted"),
        (
            DAVIS2017_UNSUPERVISED,
            TWO,
            [_labels((21, 2, 2))] * 4,
            "frame 00000: the prediction has the id 21, but at most",
        ),
        (
            FRAMES,
            TWO,
            [_labels(size=(24, 30))] * 4,
            "frame 00000: the annotation is 32x24, but the prediction is 30x24",
        ),
        (EASI3R, [_labels(size=(480, 854))], TWO[:1], "the annotation is 512x288, but the prediction is 32x24"),
        (GEOMOTION, TWO, [np.full((5, 5), 999, dtype=np.uint16)] * 4, "probabilities are wanted as 8-bit grey"),
        (FRAMES, TWO, TWO[:2], "2 of 4 scored frames have no prediction: 00002, 00003"),
        (FRAMES, TWO[:2], TWO, "2 predictions have no annotation: 00002, 00003"),
        (FRAMES, [], TWO, "it has 0 annotated frames"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, protocol: Protocol, truth: list[np.ndarray], prediction: list[np.ndarray], reason: str
) -> None:
    assert reason in _score(tmp_path, protocol, truth, prediction).failures["clip"]


def test_colours_are_foreground_where_ids_do_not_matter(tmp_path: Path) -> None:
    green = np.zeros((24, 32, 3), dtype=np.uint8)
    green[2:8, 2:8, 1] = 255
    assert _score(tmp_path, SEGANYMO, [_labels((1, 2, 2))] * 2, [green] * 2).overall["J-Mean"] == 1


def test_probabilities_of_any_size_are_cut_at_a_tenth(tmp_path: Path) -> None:
    truth = [_labels((255, 0, 0), size=(12, 12))]
    soft = np.zeros((6, 6), dtype=np.uint8)
    soft[:3, :3] = 26
    scores = _score(tmp_path, GEOMOTION, truth, [np.kron(soft, np.ones((2, 2), dtype=np.uint8))])
    assert scores.overall["J-Mean"] == 1
    assert _score(tmp_path, GEOMOTION, truth, [soft - (soft > 0)]).overall["J-Mean"] == 0
    palette = Image.fromarray((soft > 0).astype(np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(tmp_path / "prediction" / "00000.png")
    files = (
        {"clip": {"00000": tmp_path / "truth" / "00000.png"}},
        {"clip": {"00000": tmp_path / "prediction/00000.png"}},
    )
    assert 0.5 < score_folder(GEOMOTION, *files).overall["J-Mean"] < 1  # the resized mask is a pixel wider


def test_own_pooling_first(tmp_path: Path) -> None:
    truth = {"long": _save(tmp_path / "t/long", TWO), "short": _save(tmp_path / "t/short", TWO[:1])}
    prediction = {"long": truth["long"], "short": _save(tmp_path / "p/short", [_labels()])}
    by_frames, by_sequences = (score_folder(protocol, truth, prediction) for protocol in (GEOMOTION, SEGANYMO))
    assert (by_frames.overall["J-Mean"], by_sequences.overall["J-Mean"]) == (0, 0.5)  # ids 1 and 2 are below a tenth
    pooled = by_sequences.poolings
    assert list(pooled) == ["mean over sequences", "mean over frames"]
    assert pooled["mean over frames"]["J-Mean"] == 0.8
    assert list(by_frames.poolings) == ["mean over frames", "mean over sequences"]


def test_long_sequences_keep_their_decay(tmp_path: Path) -> None:
    square, nothing = _labels((1, 2, 2)), _labels()
    scores = _score(tmp_path, FRAMES, [square] * 300, [square] * 150 + [nothing] * 150)
    assert scores.overall["J-Decay"] == 1
    assert scores.overall["J-Recall"] == 0.5


def test_any_number_of_processes_gives_the_same_numbers(tmp_path: Path) -> None:
    truth = {name: _save(tmp_path / "t" / name, TWO) for name in ("one", "two", "three")}
    prediction = {name: _save(tmp_path / "p" / name, SWAPPED[:count]) for name, count in (("one", 4), ("three", 3))}
    alone, together = (score_folder(DAVIS2017_UNSUPERVISED, truth, prediction, processes=count) for count in (1, 3))
    assert alone == together
    assert list(alone.failures) == ["two", "three"]


def test_little_work_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "ProcessPoolExecutor", None)
    files = {name: _save(tmp_path / name, TWO) for name in ("one", "two")}
    assert score_folder(FRAMES, files, files).overall["J-Mean"] == 1


def test_files_of_a_dataset_can_be_scored(tmp_path: Path) -> None:
    files = _save(tmp_path / "truth", TWO)
    images = tuple(Path(f"{k:05d}.jpg") for k in range(8))
    sequence = SequenceFiles("clip", images, {stem: files[stem] for stem in ("00001", "00003")})
    scores = score_folder(FRAMES, {sequence.name: sequence.annotations}, {"clip": files}, extra_allowed=True)
    assert [row["frame"] for row in scores.frame_rows] == ["00001", "00003"]
    with pytest.raises(ValueError, match="sequences without annotation: other"):
        score_folder(FRAMES, {"clip": files}, {"clip": files, "other": files})
