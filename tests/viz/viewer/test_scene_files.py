"""Run folders: what is read, and one sentence for each that is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motion4d.io.files import write_json
from motion4d.io.frames_4d import read_frame_4d, write_frame_4d
from motion4d.viz.viewer.points import MOST_KEPT, Settings
from motion4d.viz.viewer.scene_files import DISTANCE, read_run
from tests.io.media import truncate
from tests.viz.viewer.runs import BLOCK_PIXELS, H, W, frame, make_run


def test_a_frame_survives_its_file(tmp_path: Path) -> None:
    before = replace(frame(1), depth=np.linspace(1e-3, 7e5, H * W, dtype=np.float32).reshape(H, W))
    write_frame_4d(tmp_path / "a.npz", before)
    after = read_frame_4d(tmp_path / "a.npz", has_motion=True)
    known = np.isfinite(before.log_confidence)
    np.testing.assert_allclose(after.depth[known], before.depth[known], rtol=1e-3, atol=0.1)
    assert (after.image == before.image).all()
    assert (after.log_confidence == before.log_confidence).all()
    assert (after.moving == before.moving).all()
    assert (after.camera_to_world == before.camera_to_world).all()


def test_a_run_is_read_in_the_pages_unit(tmp_path: Path) -> None:
    scene = read_run(make_run(tmp_path / "run", 11))
    assert (len(scene), scene.name, scene.size, scene.frame_rate) == (11, "block", (H, W), 12.0)
    cloud = scene.points.still_at(0, Settings(all_frames=False, least_still=0))
    assert np.median(np.linalg.norm(cloud.points, axis=1)) == pytest.approx(DISTANCE, rel=0.05)
    assert scene.camera_to_world[10, 0, 3] == pytest.approx(scene.per_unit)  # ten steps, in order of their numbers
    assert len(scene.points.moving_at(10, Settings(least_moving=0))) == BLOCK_PIXELS


def test_without_masks_everything_is_background(tmp_path: Path) -> None:
    scene = read_run(make_run(tmp_path / "run", 2, masks=False))
    assert not scene.points.anything_moves
    assert len(scene.points.still_at(0, Settings(least_still=0))) == 2 * (H * W - 1)


def test_a_clips_points_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motion4d.viz.viewer.scene_files.MOST_KEPT", 100)
    scene = read_run(make_run(tmp_path / "run", 4))
    assert MOST_KEPT > 100
    assert sum(len(one.cloud) for one in scene.points.frames) <= 100 + 4 * BLOCK_PIXELS


def _no_viewer(run: Path) -> None:
    for file in (run / "viewer").iterdir():
        file.unlink()


def _other_task(run: Path) -> None:
    write_json(run / "summary.json", {"kind": "motion4d masks", "finished": True})


def _unfinished(run: Path) -> None:
    write_json(run / "summary.json", {"kind": "motion4d reconstruction", "finished": False})


def _other_size(run: Path) -> None:
    small = frame(1)
    write_frame_4d(
        run / "viewer" / "00001.npz",
        replace(
            small,
            image=small.image[:-2],
            depth=small.depth[:-2],
            log_confidence=small.log_confidence[:-2],
            moving=None if small.moving is None else small.moving[:-2],
        ),
    )


def _flat_camera(run: Path) -> None:
    write_frame_4d(run / "viewer" / "00001.npz", replace(frame(1), intrinsics=np.zeros((3, 3))))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda run: (run / "summary.json").unlink(), "holds no finished reconstruction; `python launch.py"),
        (lambda run: (run / "summary.json").write_text("{"), "is not a valid JSON file"),
        (_other_task, "is a run of another task"),
        (_unfinished, "was not finished"),
        (_no_viewer, "scene.viewer=true"),
        (lambda run: (run / "viewer" / "00001.npz").unlink(), "holds 2 of the 3 frames"),
        (lambda run: truncate(run / "viewer" / "00001.npz"), "cannot read .*00001.npz as an .npz file"),
        (lambda run: write_frame_4d(run / "viewer" / "00001.npz", frame(1, masks=False)), "it has no moving"),
        (_other_size, "of different sizes"),
        (_flat_camera, "its camera is not a camera"),
    ],
)
def test_one_sentence_says_what_is_broken(tmp_path: Path, damage, sentence: str) -> None:
    run = make_run(tmp_path / "run", 3)
    damage(run)
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        read_run(run)


def test_a_folder_of_sequences_names_them(tmp_path: Path) -> None:
    make_run(tmp_path / "all" / "one", 1)
    make_run(tmp_path / "all" / "two", 1)
    with pytest.raises(ValueError, match="several sequences; name one of them: one, two"):
        read_run(tmp_path / "all")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        read_run(tmp_path / "nowhere")
