"""Flow from files: found by the names of the frames, or one sentence that says what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.clip import Clip, Source
from motion4d.data.augment import MotionViews
from motion4d.data.framed import Framed
from motion4d.data.with_flow import WithFlow
from motion4d.flow.precomputed import Precomputed
from motion4d.framing import Framing
from motion4d.io.flow_files import write_flow

FRAMES = ("00000", "00001", "00002")
NAME = "{dataset}/{sequence}/%s/{frame}.npy"


def clip(height: int = 6, width: int = 9, frames: int = 3) -> Clip:
    """Two videos whose frames have names."""
    sources = tuple(Source("davis", sequence, FRAMES[:frames]) for sequence in ("bear", "camel"))
    return Clip(images=torch.rand(2, frames, 3, height, width), sources=sources)


class Clips:
    """A data set of that one clip."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Clip:
        return clip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Flow whose values tell which file they came from."""
    for number, sequence in enumerate(("bear", "camel")):
        for frame, name in enumerate(FRAMES):
            for direction, sign in (("forward", 1), ("backward", -1)):
                flow = np.full((6, 9, 2), (sign * (frame + 1), number), np.float32)
                write_flow(tmp_path / "davis" / sequence / direction / f"{name}.npy", flow)
    return tmp_path


def test_each_field_lies_on_its_source_frame(folder: Path) -> None:
    flow = Precomputed(folder, forward=NAME % "forward", backward=NAME % "backward")(clip())
    assert flow.backward is not None
    assert flow.forward.shape == flow.backward.shape == (2, 2, 2, 6, 9)
    assert flow.forward[:, :, :, 0, 0].tolist() == [[[1, 0], [2, 0]], [[1, 1], [2, 1]]]
    assert flow.backward[:, :, :, 0, 0].tolist() == [[[-2, 0], [-3, 0]], [[-2, 1], [-3, 1]]]


def test_forward_alone_and_a_single_frame(folder: Path) -> None:
    forward_only = Precomputed(folder, forward=NAME % "forward", backward=None)
    assert forward_only(clip()).backward is None
    assert forward_only(clip(frames=1)).forward.shape == (2, 0, 2, 6, 9)


def test_files_at_native_size_are_framed_like_the_frames(folder: Path) -> None:
    """As a training reads them: frames doubled in height, tripled in width, then padded by a column."""

    framing = Framing((6, 9), (12, 27), (12, 28))
    files = Precomputed(folder, forward=NAME % "forward", backward=NAME % "backward")
    framed = WithFlow(Framed(Clips(), lambda height, width: framing), files)[0]
    assert framed.estimated_flow is not None
    assert framed.estimated_flow.size == framed.size == (12, 28)
    assert framed.estimated_flow.forward[:, :, :, 0, 0].tolist() == [[[3, 0], [6, 0]], [[3, 2], [6, 2]]]
    assert framed.estimated_flow.backward is not None
    assert framed.estimated_flow.backward[1, 1, :, -1, -1].tolist() == [-9, 2]
    before = WithFlow(Clips(), files)[0].estimated_flow
    assert before is not None
    assert torch.equal(framing.flow(before.forward), framed.estimated_flow.forward)


def test_a_changed_view_has_no_files(folder: Path) -> None:
    with pytest.raises(ValueError, match="mirrored or reversed view"):
        Precomputed(folder, forward=NAME % "forward")(MotionViews(Clips())[0])


def test_interleaved_frames_have_no_files(folder: Path) -> None:
    files = Precomputed(folder, forward=NAME % "forward", backward=None)
    every_second = clip()
    every_second.sources = tuple(replace(source, step=2) for source in every_second.sources)
    with pytest.raises(ValueError, match="interleaved .one in 2."):
        files(every_second)


def test_a_missing_file_is_named(folder: Path) -> None:
    missing = folder / "davis" / "camel" / "backward" / "00002.npy"
    missing.unlink()
    with pytest.raises(FileNotFoundError, match=r"camel/backward/00002.npy; write it with"):
        Precomputed(folder, forward=NAME % "forward", backward=NAME % "backward")(clip())


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    files = Precomputed(folder, forward=NAME % "forward", backward=None)
    with pytest.raises(ValueError, match="is 6x9, but the frames are 5x9"):
        files(clip(height=5))
    with pytest.raises(ValueError, match="does not say where its frames come from"):
        files(Clip(images=torch.rand(1, 2, 3, 6, 9)))
    with pytest.raises(ValueError, match=r"uses 'scene'; known are \{dataset\}"):
        Precomputed(folder, forward="{scene}/{frame}.npy", backward=None)(clip())
    with pytest.raises(ValueError, match="need one of the suffixes"):
        Precomputed(folder, forward="{frame}.jpg")
    write_flow(folder / "davis" / "bear" / "forward" / "00000.npy", np.full((6, 9, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="unknown pixels"):
        files(clip())
