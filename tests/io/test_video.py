"""Videos are read as a player shows them, and written so that players can play them."""

from __future__ import annotations

import av
import numpy as np
import pytest

from motion4d.io.video import open_video_writer, probe_video, read_video, write_video
from tests.io.media import make_video, moving_square, picture, truncate


def close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.abs(a.astype(int) - b).mean() < 4


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
@pytest.mark.parametrize("mirror", [(False, False), (True, False), (False, True)])
def test_the_display_matrix_is_honoured(tmp_path, rotation, mirror):
    path = make_video(tmp_path / "x.mp4", [picture()] * 3, display=(rotation, *mirror))
    expected = np.rot90(picture(), rotation // 90)
    expected = expected[:, ::-1] if mirror[0] else expected
    expected = expected[::-1] if mirror[1] else expected
    frames = list(read_video(path))
    assert len(frames) == 3
    assert close(frames[0], expected)
    assert probe_video(path).size == expected.shape[:2]


def test_probe(tmp_path):
    info = probe_video(make_video(tmp_path / "x.mp4", moving_square(12, 64, 36), rate=12))
    assert (info.size, info.frame_rate, info.frames) == ((64, 36), 12.0, 12)


def shades(count: int) -> list[np.ndarray]:
    """Frame k is grey 10 + 10 k all over, so that its number can be read from it."""
    return [np.full((32, 32, 3), 10 + 10 * k, np.uint8) for k in range(count)]


def numbers(frames) -> list[int]:
    return [round((float(frame.mean()) - 10) / 10) for frame in frames]


@pytest.mark.parametrize(
    ("fps", "kept"), [(10, list(range(12))), (5, list(range(0, 12, 2))), (30, list(range(12))), (2.5, [0, 4, 8])]
)
def test_thinning_at_a_constant_rate(tmp_path, fps, kept):
    path = make_video(tmp_path / "x.mp4", shades(12), rate=10)
    assert numbers(read_video(path, fps=fps)) == kept


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv"])
def test_a_variable_rate_is_thinned_by_the_clock(tmp_path, name):
    # a second at 10 per second, then one frame per second
    times = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 2000, 3000, 4000]
    path = make_video(tmp_path / name, shades(14), rate=10, times_ms=times)
    assert numbers(read_video(path)) == list(range(14))
    assert numbers(read_video(path, fps=2)) == [0, 5, 10, 11, 12, 13]
    assert numbers(read_video(path, fps=1)) == [0, 10, 11, 12, 13]


def test_a_clock_in_milliseconds_does_not_disturb_thinning(tmp_path):
    times = [round(1000 * k / 30) for k in range(20)]
    path = make_video(tmp_path / "x.mkv", shades(20), rate=30, times_ms=times)
    assert numbers(read_video(path, fps=15)) == list(range(0, 20, 2))
    assert numbers(read_video(path, fps=30)) == list(range(20))


def test_transparency_is_composited_over_black(tmp_path):
    rgba = np.dstack([picture(), np.full((48, 64), 255, np.uint8)])
    rgba[:, :32, 3] = 0
    path = make_video(tmp_path / "x.mov", [rgba] * 2, codec="qtrle", pixel_format="argb", source_format="rgba")
    (frame, _) = read_video(path)
    assert (frame[:, :32] == 0).all()
    assert close(frame[:, 32:], picture()[:, 32:])


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("libx264", "yuv420p10le"), ("ffv1", "yuv444p16le"), ("ffv1", "gray16le")]
)
def test_deep_colour_becomes_eight_bit(tmp_path, codec, pixel_format):
    path = make_video(tmp_path / "x.mkv", shades(4), codec=codec, pixel_format=pixel_format)
    frames = list(read_video(path))
    assert frames[0].dtype == np.uint8
    np.testing.assert_allclose([frame.mean() for frame in frames], [10, 20, 30, 40], atol=3)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (64, 36)])
def test_writing_gives_playable_h264_also_for_odd_sizes(tmp_path, height, width):
    frames = moving_square(7, height, width)
    write_video(tmp_path / "x.mp4", frames, frame_rate=29.97)
    with av.open(str(tmp_path / "x.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == pytest.approx(29.97, rel=1e-3)
    read = list(read_video(tmp_path / "x.mp4"))
    assert len(read) == 7
    assert read[0].shape == (height + height % 2, width + width % 2, 3)
    assert close(read[3][:height, :width], frames[3])


def test_a_video_whose_making_fails_does_not_appear(tmp_path):
    def write_half():
        with open_video_writer(tmp_path / "x.mp4", frame_rate=10) as writer:
            writer.add(picture())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert list(tmp_path.iterdir()) == []


def noise(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(count)]


def test_damage_in_the_middle_names_file_and_frame(tmp_path):
    path = make_video(tmp_path / "x.mp4", noise(30))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20000] = bytes(20000)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"frame \d+ of .*x\.mp4 cannot be decoded .*max_frames="):
        list(read_video(path))


def test_a_file_that_was_cut_off(tmp_path):
    path = make_video(tmp_path / "x.mp4", noise(20), container_options={"movflags": "faststart"})
    with pytest.raises(ValueError, match="cut off"):
        list(read_video(truncate(path)))
    without_index = truncate(make_video(tmp_path / "y.mp4", noise(20)))
    with pytest.raises(ValueError, match=r"y\.mp4 cannot be opened as a video"):
        probe_video(without_index)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"text\.mp4 cannot be opened as a video"):
        probe_video(tmp_path / "text.mp4")
    with pytest.raises(FileNotFoundError, match=r"missing\.mp4"):
        probe_video(tmp_path / "missing.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="no video stream"):
        probe_video(tmp_path / "sound.mp4")
