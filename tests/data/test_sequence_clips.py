"""From the files of five published layouts to training batches: export, prepare, configure, load, collate."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from motion4d.cli import build, compose
from motion4d.clip import Clip
from motion4d.data.frame_choice import Strided
from motion4d.data.framed import Framed
from motion4d.data.sampling import EpochBatches, SeededClips
from motion4d.data.sequence_clips import SequenceClips
from motion4d.framing import Square
from motion4d.io.images import write_image
from motion4d.layouts.sequence import SequenceFiles
from prepare.procedural import LAYOUTS
from tests.data.moving_things import walking_thing

CONF = Path(__file__).parents[2] / "conf"
NAMES = ["got10k", "hoi4d", "dynamic_replica", "gotmoving", "dynamicverse"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All five datasets as `prepare` leaves them, two sequences each."""
    folder = tmp_path_factory.mktemp("data")
    for name in NAMES:
        write_and_prepare(name, folder / "official" / name, folder / name)
    return folder


def write_and_prepare(name: str, official: Path, target: Path) -> None:
    LAYOUTS[name].write([walking_thing("one"), walking_thing("two", step=3)], official)
    sources = [str(official / source) for source in LAYOUTS[name].sources]
    prepare = importlib.import_module(f"prepare.{name}")
    assert prepare.main(["--source", *sources, "--root", str(target)]) == 0
    assert prepare.main(["--check", "--root", str(target)]) == 0


def configured(root: Path, option: str, *words: str) -> Any:
    """data.train of an option, in clips of four frames."""
    return build(compose(CONF, [f"data={option}", f"paths.data={root}", "output=out", *words]).data.train)


def batches(clips: Any, count: int, size: int = 2) -> list[Clip]:
    """The first batches of a training with seed 0, 28 pixels square."""
    sampler = EpochBatches(len(clips), size, stop=count)
    dataset = SeededClips(Framed(clips, Square(28)), seed=0)
    return list(DataLoader(dataset, batch_sampler=sampler, collate_fn=Clip.collate))


@pytest.mark.parametrize("name", NAMES)
def test_masks_come_back_as_they_were(root: Path, name: str) -> None:
    whole = ["data.train.augment=null", "data.train.crop=null", "data.train.frames.num_frames=6"]
    clips = configured(root, name, *whole)
    assert len(clips) == 2
    for index, step in enumerate((2, 3)):
        clip, truth = clips[index], walking_thing(step=step)
        assert clip.motion is not None
        assert truth.motion is not None
        assert torch.equal(clip.motion, truth.motion)
        assert (clip.images - truth.images).abs().mean() < 0.03  # JPEG, or a video


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_each_dataset(root: Path, name: str) -> None:
    (batch,) = batches(configured(root, name, "data.train.frames.num_frames=4"), 1)
    assert batch.images.shape == (2, 4, 3, 28, 28)
    assert batch.motion is not None
    assert batch.motion.shape == (2, 4, 28, 28)
    assert {source.dataset for source in batch.sources} == {name}


def test_the_mixture_collates_and_repeats_itself(root: Path) -> None:
    clips = configured(root, "geomotion_mixture", "data.num_frames=4")
    first = batches(clips, 12)
    assert {source.dataset for batch in first for source in batch.sources} == set(NAMES)
    assert all(batch.motion is not None for batch in first)
    again = batches(clips, 3)  # whatever was drawn before
    assert all(torch.equal(one.images, two.images) for one, two in zip(first, again, strict=False))


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_root_names_the_command(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"run: python -m prepare.{name}"):
        len(configured(tmp_path, name))


class Files:
    """A layout of one sequence of `count` labelled frames, 8 x 8."""

    def __init__(self, folder: Path, count: int) -> None:
        self.paths = {f"{k:03d}": (folder / f"{k:03d}.png", folder / f"{k:03d}_mask.png") for k in range(count)}
        for k, (image, mask) in enumerate(self.paths.values()):
            write_image(image, np.full((8, 8, 3), k, np.uint8))
            write_image(mask, np.eye(8, dtype=np.uint8))

    def __call__(self) -> list[SequenceFiles]:
        images = tuple(image for image, _ in self.paths.values())
        return [SequenceFiles("one", images, {stem: mask for stem, (_, mask) in self.paths.items()})]


def test_unlabelled_frames_are_passed_over(tmp_path: Path) -> None:
    layout = Files(tmp_path, 5)
    (files,) = layout()
    del files.annotations["002"]  # type: ignore[attr-defined]
    clip = SequenceClips("mine", lambda: [files], Strided(4))[0]
    assert clip.sources[0].frames == ("000", "001", "003", "004")
    assert [round(float(frame.mean()) * 255) for frame in clip.images[0]] == [0, 1, 3, 4]


def test_short_sequences_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none of the 1 sequences of mine has 6 frames with masks, the longest has 5"):
        len(SequenceClips("mine", Files(tmp_path, 5), Strided(6)))


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    layout = Files(tmp_path, 4)
    write_image(tmp_path / "002_mask.png", np.zeros((4, 8), np.uint8))
    with pytest.raises(ValueError, match=r"002_mask.png is 4x8 but .*000.png is 8x8"):
        SequenceClips("mine", layout, Strided(4))[0]


def test_broken_sequences_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = SequenceFiles("two", (), problem="two lacks masks")
    clips = SequenceClips("mine", lambda: [*Files(tmp_path, 4)(), broken], Strided(4))
    assert len(clips) == 1
    assert "mine: 1 of 2 sequences are left out; the first: two lacks masks" in caplog.text
