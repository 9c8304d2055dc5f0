"""What may be given as input, and one sentence for what may not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from motion4d.io.frames import open_input
from tests.io.media import make_frames, make_video, moving_square, picture, truncate


def test_a_video_streams_again_and_again(tmp_path):
    path = make_video(tmp_path / "walk.mp4", moving_square(7))
    (source,) = open_input(path)
    assert (source.name, source.folder, source.size, source.frame_rate, source.length) == (
        "walk",
        "",
        (48, 64),
        10.0,
        7,
    )
    first, second = list(source), list(source)
    assert len(first) == 7
    assert first[0].shape == (3, 48, 64)
    assert first[0].dtype == torch.uint8
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_a_turned_video_has_its_shown_size(tmp_path):
    (source,) = open_input(make_video(tmp_path / "x.mp4", moving_square(3), display=(90, False, False)))
    assert source.size == (64, 48)
    assert next(iter(source)).shape == (3, 64, 48)


def test_thinning(tmp_path):
    path = make_video(tmp_path / "x.mp4", moving_square(20))
    (source,) = open_input(path, fps=5)
    assert (len(list(source)), source.length, source.frame_rate) == (10, 10, 5)
    (source,) = open_input(path, fps=5, max_frames=3)
    assert (len(list(source)), source.length) == (3, 3)
    folder = make_frames(tmp_path / "frames", moving_square(5))
    (source,) = open_input(folder, max_frames=2)
    assert source.stems == ("00000", "00001")
    assert len(list(source)) == 2


def test_a_folder_is_read_in_natural_order_and_strays_are_passed_over(tmp_path):
    frames = moving_square(11)
    make_frames(tmp_path / "seq", frames, [f"frame{k}.png" for k in range(11)])
    (tmp_path / "seq" / "notes.txt").write_text("stray")
    (tmp_path / "seq" / "._frame0.png").write_text("stray")
    (source,) = open_input(tmp_path / "seq")
    assert source.stems == tuple(f"frame{k}" for k in range(11))
    assert (source.name, source.length, source.frame_rate) == ("seq", 11, None)
    for read, frame in zip(source, frames, strict=True):
        assert (read.permute(1, 2, 0).numpy() == frame).all()


def test_a_glob_chooses_frames(tmp_path):
    make_frames(tmp_path / "seq", moving_square(4), ["a_10.png", "a_9.png", "b_1.png", "b_2.png"])
    (source,) = open_input(str(tmp_path / "seq" / "a_*.png"))
    assert source.stems == ("a_9", "a_10")
    assert source.name == "seq"


def test_one_image_is_a_clip_of_one_frame(tmp_path):
    make_frames(tmp_path, [picture()], ["only.png"])
    (source,) = open_input(tmp_path / "only.png")
    assert (source.name, source.length) == ("only", 1)


def test_a_folder_of_sequences(tmp_path):
    make_frames(tmp_path / "seq10", moving_square(2))
    make_frames(tmp_path / "seq9", moving_square(3))
    make_video(tmp_path / "walk.mp4", moving_square(4))
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "list.txt").write_text("stray")
    sources = open_input(tmp_path)
    assert [source.folder for source in sources] == ["empty", "seq9", "seq10", "walk"]
    assert [source.length for source in sources] == [0, 3, 2, 4]
    with pytest.raises(ValueError, match="no frames in .*empty"):
        sources[0].check()
    several = open_input(str(tmp_path / "seq*"))
    assert [source.folder for source in several] == ["seq9", "seq10"]


def test_sequences_of_one_name_get_folders_of_their_own(tmp_path):
    make_frames(tmp_path / "walk", moving_square(2))
    make_video(tmp_path / "walk.mp4", moving_square(2))
    assert sorted(source.folder for source in open_input(tmp_path)) == ["walk", "walk.mp4"]
    for name in "ab":
        (tmp_path / "c" / name).mkdir(parents=True)
        make_video(tmp_path / "c" / name / "clip.mp4", moving_square(2))
    assert [s.folder for s in open_input(str(tmp_path / "c" / "*" / "clip.mp4"))] == ["000_clip", "001_clip"]


def test_missing_and_empty(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no .*nowhere"):
        open_input(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nothing .* matches"):
        open_input(str(tmp_path / "*.png"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no frames in .*empty"):
        open_input(tmp_path / "empty")


@pytest.mark.parametrize("thinning", [{"fps": 0}, {"fps": "fast"}, {"max_frames": 0}, {"max_frames": 1.5}])
def test_a_thinning_that_means_nothing_is_one_sentence(tmp_path, thinning):
    with pytest.raises(ValueError, match=f"^{next(iter(thinning))} must be"):
        open_input(make_video(tmp_path / "x.mp4", moving_square(3)), **thinning)


def test_mixed_sizes_of_a_glob_name_the_folder_of_the_odd_one(tmp_path):
    for name, width in (("a", 32), ("b", 32), ("c", 30)):
        make_frames(tmp_path / name, [picture(24, width)])
    with pytest.raises(ValueError, match=r"different sizes: .*/c/00000\.png is 24x30"):
        open_input(tmp_path / "*" / "00000.png")


def test_mixed_sizes_name_the_odd_one(tmp_path):
    frames = moving_square(5)
    frames[3] = picture(40, 64)
    with pytest.raises(ValueError, match=r"00003\.png is 40x64, most are 48x64"):
        open_input(make_frames(tmp_path / "seq", frames))


def test_exif_counts_when_sizes_are_compared(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(picture(64, 48)).save(tmp_path / "0.jpg")
    Image.fromarray(picture(48, 64)).save(tmp_path / "1.jpg", exif=exif)
    (source,) = open_input(tmp_path)
    assert [frame.shape for frame in source] == [(3, 64, 48)] * 2


def test_corrupt_frames_are_named(tmp_path):
    noise = [np.random.default_rng(k).integers(0, 255, (48, 64, 3), dtype=np.uint8) for k in range(5)]
    folder = make_frames(tmp_path / "seq", noise)
    truncate(folder / "00002.png")
    (source,) = open_input(folder)
    with pytest.raises(ValueError, match=r"00002\.png"):
        list(source)
    (folder / "00002.png").write_text("not an image")
    with pytest.raises(ValueError, match=r"00002\.png"):
        open_input(folder)


def test_ambiguous_input_is_refused(tmp_path):
    make_frames(tmp_path, [picture()])
    make_video(tmp_path / "x.mp4", moving_square(2))
    with pytest.raises(ValueError, match="both images and videos"):
        open_input(tmp_path)
    with pytest.raises(ValueError, match="both images and videos"):
        open_input(str(tmp_path / "*"))


@pytest.mark.parametrize("name", ["x.mp4", "notes.txt"])
def test_a_file_that_is_no_video(tmp_path, name):
    (tmp_path / name).write_text("no video")
    with pytest.raises(ValueError, match="cannot be opened as a video"):
        open_input(tmp_path / name)


def test_thinning_that_means_nothing(tmp_path):
    folder = make_frames(tmp_path / "seq", moving_square(2))
    with pytest.raises(ValueError, match="fps=5 needs a video"):
        open_input(folder, fps=5)
    for bad in ({"fps": 0}, {"fps": -1}, {"fps": float("nan")}, {"max_frames": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            open_input(folder, **bad)
