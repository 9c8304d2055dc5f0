"""Clips of sequences with depth and cameras: frames and cameras go together, limits act, bad input is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from motion4d.data.depth_limits import DepthLimits
from motion4d.data.frame_windows import StridedWindows
from motion4d.data.geometry_clips import GeometryClips
from motion4d.data.sampling import BatchShape
from motion4d.data.training_views import TrainingViews
from motion4d.io.images import write_image
from motion4d.layouts.geometry import Cameras, GeometryFiles

SHAPE = BatchShape(3, (6, 8))


def sequence(folder: Path, name: str, frames: int, **changes: Any) -> GeometryFiles:
    """Frame k is grey level k, lies at depth 1 + k, and was taken k metres to the right, with focal length 10 + k."""
    images = []
    for k in range(frames):
        images.append(folder / name / f"{k:03d}.png")
        write_image(images[-1], np.full((6, 8, 3), k, np.uint8))
    poses, matrices = np.repeat(np.eye(4)[None], frames, 0), np.repeat(np.eye(3)[None], frames, 0)
    poses[:, 0, 3] = np.arange(frames)
    matrices[:, (0, 1), (0, 1)] += 9 + np.arange(frames)[:, None]
    matrices[:, :2, 2] = (3.5, 2.5)
    files = {"depth": lambda k: np.full((6, 8), 1.0 + k, np.float32), "cameras": lambda: Cameras(poses, matrices)}
    return GeometryFiles(name, tuple(images), **{**files, **changes})


def clips(*files: GeometryFiles, strides: tuple[int, ...] = (1,), **more: Any) -> GeometryClips:
    return GeometryClips("mine", lambda: list(files), StridedWindows(strides), SHAPE, **more)


def test_frames_depth_and_cameras_go_together(tmp_path: Path) -> None:
    data = clips(sequence(tmp_path, "a", 4), sequence(tmp_path, "b", 7), strides=(1, 2))
    counts = [len(range(3)) + 1, len(range(6)) + len(range(4))]
    assert len(data) == sum(counts)
    seen = set()
    for index in range(len(data)):
        clip = data.shaped(index, BatchShape(2, (6, 8)))
        assert clip.depth is not None
        assert clip.camera_to_world is not None
        assert clip.intrinsics is not None
        frames = [int(stem) for stem in clip.sources[0].frames]
        assert (clip.images[0, :, 0, 0, 0] * 255).round().tolist() == frames
        assert clip.depth[0, :, 0, 0].tolist() == [1 + k for k in frames]
        assert clip.camera_to_world[0, :, 0, 3].tolist() == frames
        assert clip.intrinsics[0, :, 0, 0].tolist() == [10 + k for k in frames]
        seen.add((clip.sources[0].sequence, *frames))
    assert len(seen) == len(data)
    assert data[0].num_frames == 3
    assert data.shaped(0, BatchShape(6, (12, 4))).images.shape == (1, 6, 3, 12, 4)
    with pytest.raises(IndexError, match="clip 14 of 14"):
        data[14]


def test_short_sequences_are_left_out(tmp_path: Path) -> None:
    data = clips(sequence(tmp_path, "a", 2), sequence(tmp_path, "b", 8), strides=(3,))
    assert {data[index].sources[0].sequence for index in range(len(data))} == {"b"}
    with pytest.raises(ValueError, match="none of the 1 sequences of mine is long enough for .*, the longest has 2"):
        len(clips(sequence(tmp_path, "a", 2), strides=(3,)))


def test_limits_act_before_the_resize(tmp_path: Path) -> None:
    far = np.full((6, 8), 2.0, np.float32)
    far[0, 0] = 50.0
    data = clips(sequence(tmp_path, "a", 4, depth=lambda k: far), limits=DepthLimits(None, None, max_depth=10))
    clip = data[0]
    assert clip.valid is not None
    assert clip.depth is not None
    assert not clip.valid[0, :, 0, 0].any()
    assert clip.valid.sum() == 3 * 47
    assert clip.depth.max() == 2


def test_the_published_pixel_rule_is_an_option(tmp_path: Path) -> None:
    files = sequence(tmp_path, "a", 4)
    for published, column in ((False, (3.5 + 0.5) / 2 - 0.5), (True, 3.5 / 2)):
        clip = clips(files, views=TrainingViews(published_pixels=published)).shaped(0, BatchShape(2, (6, 4)))
        assert clip.intrinsics is not None
        assert torch.all(clip.intrinsics[..., 0, 2] == column)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"depth": None}, "mine: a has no depth to train on"),
        ({"depth": lambda k: np.ones((3, 4), np.float32)}, r"the depth of .*000.png is 3x4, but the image is 6x8"),
        ({"cameras": Cameras}, "a has no cameras to train on"),
    ],
)
def test_what_cannot_be_trained_on_is_named(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        clips(sequence(tmp_path, "a", 4, **changes))[0]


@pytest.mark.parametrize("wrong", [{"margin": -1}, {"window": (0.0, 1.0)}, {"window": (1.2, 0.8)}])
def test_nonsensical_views(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="rising positive numbers"):
        TrainingViews(**wrong)
