"""python -m prepare.flow: what it writes is what flow=precomputed reads, and only what is missing is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.clip import Clip, Flow, Source
from motion4d.engine.runtime import Runtime
from motion4d.flow.dis import DenseInverseSearch
from motion4d.flow.precomputed import Precomputed
from motion4d.io.frames import open_input
from prepare import flow as prepare_flow
from tests.flow.texture import moving_texture
from tests.io.media import make_frames, make_video, moving_square, truncate

SIZE = (40, 52)
RUNTIME = Runtime(device="cpu", precision="fp32")


def texture_frames(count: int, u: int, v: int) -> list[np.ndarray]:
    images = moving_texture(*SIZE, u=u, v=v, frames=count).images[0]
    return list((images.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy())


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two sequences, of 4 and 3 frames."""
    make_frames(tmp_path / "set" / "bear", texture_frames(4, 3, -2))
    make_frames(tmp_path / "set" / "camel", texture_frames(3, -1, 2))
    return tmp_path / "set"


class Counting(DenseInverseSearch):
    """Counts the pairs that it was asked for; breaks off with Ctrl-C when `limit` calls are done."""

    def __init__(self, limit: int = 99) -> None:
        super().__init__()
        self._pairs = 0
        self._limit = limit

    def __call__(self, clip: Clip) -> Flow:
        if clip.num_frames > 1 and self._limit == 0:
            raise KeyboardInterrupt
        self._limit -= clip.num_frames > 1
        self._pairs += clip.num_frames - 1
        return super().__call__(clip)


def run(videos: Path, root: Path, *more: str) -> int:
    return prepare_flow.main(["--input", str(videos), "--root", str(root), "--device", "cpu", *more])


def read_clip(videos: Path, sequence: str, dataset: str = "set") -> Clip:
    (source,) = open_input(videos / sequence)
    images = torch.stack(list(source))[None].float() / 255
    return Clip(images, sources=(Source(dataset, sequence, source.stems),))


@pytest.mark.parametrize("format", ["flo", "npz"])
def test_round_trip(videos: Path, tmp_path: Path, format: str) -> None:
    assert run(videos, tmp_path / "flow", "--format", format, "--dataset", "animals") == 0
    patterns = {way: f"{{dataset}}/{{sequence}}/{way}/{{frame}}.{format}" for way in ("forward", "backward")}
    stored = Precomputed(tmp_path / "flow", **patterns)
    for sequence in ("bear", "camel"):
        clip = read_clip(videos, sequence, "animals")
        read, computed = stored(clip), DenseInverseSearch()(clip)
        assert read.backward is not None
        assert computed.backward is not None
        assert torch.equal(read.forward, computed.forward)
        assert torch.equal(read.backward, computed.backward)


def test_only_what_is_missing_is_computed(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(videos, tmp_path / "flow") == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "flow").rglob("*") if path.is_file()}
    assert run(videos, tmp_path / "flow") == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "flow").rglob("*") if path.is_file()} == files
    assert "bear: complete, nothing to do" in capsys.readouterr().out
    (tmp_path / "flow" / "set" / "camel" / "backward" / "00002.flo").unlink()
    assert run(videos, tmp_path / "flow") == 0
    out = capsys.readouterr().out
    assert "bear: complete, nothing to do" in out
    assert "camel: 2 pairs computed" in out
    assert (tmp_path / "flow" / "set" / "camel" / "backward" / "00002.flo").is_file()


@pytest.mark.parametrize("is_video", [True, False])
def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_video: bool) -> None:
    frames = texture_frames(6, 2, 1)
    path = make_video(tmp_path / "walk.mp4", frames) if is_video else make_frames(tmp_path / "walk", frames)
    (source,) = open_input(path)
    stream = prepare_flow.flow_stream
    monkeypatch.setattr(prepare_flow, "flow_stream", lambda *a, **k: stream(*a, **k, pixels_at_once=1))
    with pytest.raises(KeyboardInterrupt):
        prepare_flow.compute(source, tmp_path / "flow", Counting(limit=3), runtime=RUNTIME)
    assert len(list((tmp_path / "flow" / "forward").iterdir())) == 3
    rest = Counting()
    assert prepare_flow.compute(source, tmp_path / "flow", rest, runtime=RUNTIME) == rest._pairs == 3
    assert prepare_flow.compute(source, tmp_path / "flow", rest, runtime=RUNTIME) == 0
    whole = Counting()
    prepare_flow.compute(source, tmp_path / "whole", whole, runtime=RUNTIME)
    for file in sorted((tmp_path / "whole").rglob("*.flo")):
        assert file.read_bytes() == (tmp_path / "flow" / file.relative_to(tmp_path / "whole")).read_bytes()


def test_another_estimator_or_other_frames_are_refused(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(videos, tmp_path / "flow") == 0
    assert run(videos, tmp_path / "flow", "flow.patch_stride=4") == 1
    assert "holds flow of another estimator" in capsys.readouterr().err
    make_frames(videos / "bear", texture_frames(5, 3, -2))
    assert run(videos, tmp_path / "flow") == 1
    captured = capsys.readouterr()
    assert "bear holds flow of another frames" in captured.err
    assert "1 of 2 sequences complete" in captured.out


def test_a_broken_sequence_is_named(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truncate(videos / "bear" / "00002.png")
    make_frames(videos / "single", moving_square(1))
    assert run(videos, tmp_path / "flow") == 1
    captured = capsys.readouterr()
    assert "bear: " in captured.err
    assert "00002.png" in captured.err
    assert "single: single has 1 frames" in captured.err
    assert "camel: 2 pairs computed" in captured.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--flow", "dsi"], "dsi"),
        (["--flow", "none"], "computes nothing"),
        (["flow.patch=4"], "patch"),
        (["flow.patch_stride=wide"], "patch_stride must be a whole number"),
        (["--flow", "precomputed", "flow.forward=x.jpg"], "need one of the suffixes"),
    ],
)
def test_a_typing_error_is_one_sentence(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert run(videos, tmp_path / "flow", *words) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "flow").exists()


def test_a_run_that_wrote_no_flow_does_not_bind_the_next(videos: Path, tmp_path: Path) -> None:
    (source,) = open_input(videos / "bear")
    with pytest.raises(KeyboardInterrupt):
        prepare_flow.compute(source, tmp_path / "flow", Counting(limit=0), runtime=RUNTIME)
    assert prepare_flow.compute(source, tmp_path / "flow", DenseInverseSearch(patch_stride=4), runtime=RUNTIME) == 3
