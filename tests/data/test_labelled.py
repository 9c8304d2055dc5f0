"""Sequences with masks from files: ids, void, frames without annotation, streaming, bad input."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from motion4d.data.labelled import LabelledSequences
from motion4d.io.images import write_image
from motion4d.layouts.folders import paired


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three frames of 4x6, masks of the first and the last: ids 0, 1, 2 and 255."""
    for k in range(3):
        write_image(tmp_path / "images" / f"{k:05d}.png", np.full((4, 6, 3), 100 * k, np.uint8))
    for k in (0, 2):
        mask = np.zeros((4, 6), np.uint8)
        mask[0], mask[1], mask[2, :2] = 1, 2, 255
        write_image(tmp_path / "masks" / f"{k:05d}.png", mask)
    return tmp_path


def sequences(folder: Path, void: int | None = None) -> LabelledSequences:
    """The folder as a data set of one sequence."""
    find = partial(paired, "one", folder / "images", folder / "masks", prepare="prepare", sparse=True)
    return LabelledSequences("toy", lambda: [find()], protocol="davis2016", void=void)


def test_ids_are_joined_and_void_is_not_truth(folder: Path) -> None:
    clip = sequences(folder, void=255)[0]
    assert clip.motion is not None
    assert clip.instances is not None
    assert clip.valid is not None
    assert clip.motion[0, 0].sum(dim=-1).tolist() == [6, 6, 0, 0]
    assert clip.instances[0, 0].unique().tolist() == [0, 1, 2]
    assert (~clip.valid[0, 0]).nonzero().tolist() == [[2, 0], [2, 1]]
    assert clip.sources[0].frames == ("00000", "00001", "00002")
    assert torch.allclose(clip.images[0, :, 0, 0, 0], torch.tensor([0, 100, 200]) / 255)
    as_foreground = sequences(folder)[0]
    assert as_foreground.motion is not None
    assert as_foreground.motion[0, 0].sum() == 14


def test_a_frame_without_annotation_is_unknown(folder: Path) -> None:
    clip = sequences(folder)[0]
    assert clip.valid is not None
    assert clip.motion is not None
    assert clip.valid.flatten(2).all(-1).tolist() == [[True, False, True]]
    assert not clip.motion[0, 1].any()


def test_frames_stream(folder: Path) -> None:
    data = sequences(folder)
    source = data.frames(0)
    assert (source.folder, source.stems, source.size) == ("one", ("00000", "00001", "00002"), (4, 6))
    assert torch.equal(torch.stack(list(source)).float() / 255, data[0].images[0])
    assert data.truth(0, "00002")[0].max() == 255


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    data = sequences(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="one has no frames: .*nowhere/images is not there; run: prepare"):
        len(data)


def test_a_mask_of_another_size_and_a_broken_one(folder: Path) -> None:
    write_image(folder / "masks" / "00002.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"the mask .*00002.png is 5x4, but its frame 00002.png is 6x4"):
        sequences(folder)[0]
    (folder / "masks" / "00002.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match="cannot decode the mask .*00002.png"):
        sequences(folder)[0]
    write_image(folder / "images" / "00001.png", np.zeros((3, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="00001.png is 3x6 but the clip began with 4x6"):
        sequences(folder)[0]


def test_a_part_reads_only_its_frames(folder: Path) -> None:
    whole = sequences(folder)[0]
    (folder / "images" / "00002.png").write_bytes(b"broken")
    part = sequences(folder).part(0, 1, 2)
    assert part.sources[0].frames == ("00001",)
    assert torch.equal(part.images, whole.images[:, 1:2])
