"""task=predict with a model whose answer is known: files, resume, broken input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.engine.errors import Incomplete
from motion4d.engine.predict import Predict, segment_video
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window
from motion4d.framing import Native
from motion4d.io.images import read_image
from motion4d.io.masks import read_mask, read_probabilities
from motion4d.io.video import probe_video
from tests.engine.toy import Brightness
from tests.io.media import make_frames, make_video, moving_square, picture, truncate

WINDOW = Window(4, 2)


def predict(path: Path | None, output: Path, **settings) -> Predict:
    settings = {"window": WINDOW, "runtime": Runtime(device="cpu"), **settings}
    return Predict(settings.pop("model", Brightness(Native(16))), path, output=output, **settings)


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def expected_files(count: int) -> set[str]:
    return {"overlay.mp4", "contact_sheet.png", "summary.json", *(f"masks/{k:05d}.png" for k in range(count))}


def test_a_folder_of_frames_gives_masks_overlay_sheet_and_summary(tmp_path):
    frames = moving_square(9, 48, 67)
    folder = make_frames(tmp_path / "seq", frames)
    (summary,) = predict(folder, tmp_path / "out").run().values()
    assert everything_in(tmp_path / "out") == expected_files(9)
    for k, frame in enumerate(frames):
        assert (read_mask(tmp_path / "out" / "masks" / f"{k:05d}.png") == (frame[..., 0] > 127)).all()
    assert (summary["frames"], summary["height"], summary["width"]) == (9, 48, 67)
    assert summary["moving_share"] == pytest.approx([256 / (48 * 67)] * 9, abs=1e-6)
    assert {"reading", "model", "writing", "total"} <= summary["seconds"].keys()
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert probe_video(tmp_path / "out" / "overlay.mp4").frames == 9
    assert min(read_image(tmp_path / "out" / "contact_sheet.png").shape[:2]) > 100


def test_a_turned_video_gives_turned_masks(tmp_path):
    path = make_video(tmp_path / "walk.mp4", moving_square(6), display=(90, False, False))
    predict(path, tmp_path / "out").run()
    expected = np.rot90(moving_square(6)[2][..., 0] > 127)
    mask = read_mask(tmp_path / "out" / "masks" / "00002.png")
    assert mask.shape == (64, 48)
    assert (mask != expected).mean() < 0.02
    assert probe_video(tmp_path / "out" / "overlay.mp4").frame_rate == 10


def test_threshold_and_probabilities(tmp_path):
    folder = make_frames(tmp_path / "seq", [np.full((8, 8, 3), 140, np.uint8)] * 3)
    probability = torch.sigmoid(torch.tensor(8 * (140 / 255 - 0.5))).item()
    predict(folder, tmp_path / "low", threshold=probability - 0.01, save_probabilities=True).run()
    predict(folder, tmp_path / "high", threshold=probability + 0.01).run()
    assert read_mask(tmp_path / "low" / "masks" / "00001.png").all()
    assert not read_mask(tmp_path / "high" / "masks" / "00001.png").any()
    values = dict(read_probabilities(tmp_path / "low" / "probabilities.npz"))
    assert list(values) == ["00000", "00001", "00002"]
    np.testing.assert_allclose(values["00001"], probability, atol=1e-3)


def test_a_single_frame_is_static_and_the_summary_says_so(tmp_path):
    folder = make_frames(tmp_path / "seq", [picture()])
    (summary,) = predict(folder, tmp_path / "out").run().values()
    assert not read_mask(tmp_path / "out" / "masks" / "00000.png").any()
    assert "single frame" in summary["warnings"][0]


def make_collection(root: Path) -> Path:
    for name in ("a", "b", "c"):
        make_frames(root / name, moving_square(5))
    return root


def test_a_broken_sequence_does_not_stop_the_others(tmp_path):
    root = make_collection(tmp_path / "in")
    truncate(root / "b" / "00003.png")
    (root / "empty").mkdir()
    with pytest.raises(Incomplete, match=r"2 of 4 sequences failed .*00003\.png"):
        predict(root, tmp_path / "out").run()
    assert everything_in(tmp_path / "out" / "a") == expected_files(5)
    assert everything_in(tmp_path / "out" / "c") == expected_files(5)
    assert not (tmp_path / "out" / "b").exists()
    overview = json.loads((tmp_path / "out" / "sequences.json").read_text())
    assert sorted(overview["failed"]) == ["b", "empty"]
    assert sorted(overview["moving_share_mean"]) == ["a", "c"]


def test_finished_sequences_are_not_computed_again(tmp_path):
    root = make_collection(tmp_path / "in")
    first, second, third = Brightness(), Brightness(), Brightness()
    predict(root, tmp_path / "out", model=first).run()
    (tmp_path / "out" / "b" / "summary.json").unlink()
    for name in ("masks", "overlay.mp4", "contact_sheet.png"):
        (tmp_path / "out" / "b" / name).rename(tmp_path / name)
    summaries = predict(root, tmp_path / "out", model=second).run()
    assert len(second.seen) == len(first.seen) / 3
    assert sorted(summaries) == ["a", "b", "c"]
    predict(root, tmp_path / "out", model=third, threshold=0.9).run()
    assert len(third.seen) == len(first.seen)
    predict(root, tmp_path / "out", model=third, threshold=0.9, resume="none").run()
    assert len(third.seen) == 2 * len(first.seen)


def test_other_frames_of_the_same_folder_are_computed_again(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(6))
    predict(folder / "0000[0-2].png", tmp_path / "out").run()
    (summary,) = predict(folder / "0000[0-4].png", tmp_path / "out").run().values()
    assert summary["frames"] == 5
    (folder / "00000.txt").touch()  # no frame of it
    idle = Brightness(Native(16))
    predict(folder / "0000[0-4].png", tmp_path / "out", model=idle).run()
    assert not idle.seen
    (folder / "00001.png").unlink()
    (summary,) = predict(folder / "0000[0-4].png", tmp_path / "out").run().values()
    assert summary["frames"] == 4


def test_a_shorter_run_leaves_no_mask_of_the_longer_one(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(6))
    predict(folder, tmp_path / "out", save_probabilities=True).run()
    predict(folder, tmp_path / "out", max_frames=3).run()
    assert everything_in(tmp_path / "out") == expected_files(3)


class Broken(Brightness):
    """Fails in its second window."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def __call__(self, clip):
        if self.seen:
            raise self.error
        return super().__call__(clip)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("broken")])
def test_nothing_half_written_is_left(tmp_path, error):
    folder = make_frames(tmp_path / "seq", moving_square(9))
    with pytest.raises(type(error)):
        predict(folder, tmp_path / "out", model=Broken(error), save_probabilities=True).run()
    assert everything_in(tmp_path / "out") == set()
    predict(folder, tmp_path / "out").run()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    with pytest.raises(type(error)):
        predict(folder, tmp_path / "out", model=Broken(error), resume="none").run()
    assert everything_in(tmp_path / "out") == expected_files(9)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(3))
    (tmp_path / "out" / ".unfinished" / "masks").mkdir(parents=True)
    (tmp_path / "out" / ".unfinished" / "masks" / "00007.png").write_text("half")
    predict(folder, tmp_path / "out").run()
    assert everything_in(tmp_path / "out") == expected_files(3)


def test_too_little_memory_says_what_to_try(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(9))
    error = RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")
    with pytest.raises(MemoryError, match=r"48x64.*window\.length=2"):
        predict(folder, tmp_path / "out", model=Broken(error)).run()


def test_masks_of_somebody_else_are_not_overwritten(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(3))
    make_frames(tmp_path / "out" / "masks", moving_square(1))
    with pytest.raises(FileExistsError, match="choose another output"):
        predict(folder, tmp_path / "out").run()
    assert everything_in(tmp_path / "out") == {"masks/00000.png"}


def test_bad_settings_and_places(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(3))
    with pytest.raises(ValueError, match="input= is missing"):
        predict(None, tmp_path / "out").run()
    with pytest.raises(ValueError, match="threshold"):
        predict(folder, tmp_path / "out", threshold=1.5)
    with pytest.raises(ValueError, match="resume"):
        predict(folder, tmp_path / "out", resume="yes")
    with pytest.raises(FileNotFoundError, match="there is no"):
        predict(tmp_path / "nowhere", tmp_path / "out").run()
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="choose another output folder"):
        predict(folder, tmp_path / "file" / "out").run()


def test_three_lines_of_python(tmp_path):
    path = make_video(tmp_path / "walk.mp4", moving_square(6))
    result = segment_video(path, model=Brightness(Native(16)), runtime=Runtime(device="cpu"))
    assert result.masks.shape == result.probabilities.shape == (6, 48, 64)
    assert result.masks.dtype == torch.bool
    assert (result.name, result.frame_rate) == ("walk", 10)
    assert result.masks[0, 20, 10]
    assert not result.masks[0, 5, 5]
    assert everything_in(tmp_path) == {"walk.mp4"}
    again = segment_video(path, model=Brightness(Native(16)), output=tmp_path / "out", runtime=Runtime(device="cpu"))
    assert (again.masks == result.masks).all()
    assert everything_in(tmp_path / "out") == expected_files(6)
    make_collection(tmp_path / "in")
    with pytest.raises(ValueError, match="3 sequences"):
        segment_video(tmp_path / "in", model=Brightness())
