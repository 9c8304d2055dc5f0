"""Sequences with depth and cameras from files: sizes, what is not there, streaming, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from motion4d.data.geometry_sequences import GeometrySequences
from motion4d.io.images import write_image
from motion4d.layouts.geometry import Cameras, GeometryFiles

FRAMES = 3


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, ...]:
    """Three frames of 4x6."""
    paths = tuple(tmp_path / "one" / f"{k:05d}.png" for k in range(FRAMES))
    for k, path in enumerate(paths):
        write_image(path, np.full((4, 6, 3), 100 * k, np.uint8))
    return paths


def cameras() -> Cameras:
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 0, 3] = np.arange(FRAMES)
    return Cameras(poses, np.tile(np.diag([5.0, 5.0, 1.0]), (FRAMES, 1, 1)))


def sequences(images: tuple[Path, ...], depth: Callable[[int], NDArray[np.float32]] | None) -> GeometrySequences:
    """The frames as a data set of one sequence."""
    files = GeometryFiles("one", images, depth, cameras)
    return GeometrySequences("toy", lambda: [files], depth_protocol="video", pose_protocol=None)


def test_a_clip_has_what_the_files_have(images: tuple[Path, ...]) -> None:
    def depth(frame: int) -> NDArray[np.float32]:
        values = np.full((4, 6), frame + 1, np.float32)
        values[0, :4] = (0, -1, np.inf, np.nan)
        return values

    data = sequences(images, depth)
    clip = data[0]
    assert clip.depth is not None
    assert clip.valid is not None
    assert (~clip.valid[0, 1]).nonzero().tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]
    assert clip.depth[0, :, 1, 0].tolist() == [1, 2, 3]
    assert (clip.depth[~clip.valid] == 0).all()
    assert torch.equal(clip.depth[0, 2], torch.from_numpy(data.depth(0, 2)))
    assert torch.allclose(clip.images[0, :, 0, 0, 0], torch.tensor([0, 100, 200]) / 255)
    assert clip.camera_to_world is not None
    assert clip.camera_to_world[0, :, 0, 3].tolist() == [0, 1, 2]
    assert clip.intrinsics is not None
    assert (clip.sources[0].dataset, clip.sources[0].sequence) == ("toy", "one")
    assert clip.sources[0].frames == ("00000", "00001", "00002")
    source = data.frames(0)
    assert (source.folder, source.size, source.length) == ("one", (4, 6), 3)
    assert torch.equal(torch.stack(list(source)).float() / 255, clip.images[0])


def test_depth_of_another_size_is_sampled_for_the_clip_alone(images: tuple[Path, ...]) -> None:
    """A depth map of twice the size, one value per 2x2 pixels."""
    values = np.arange(24, dtype=np.float32).reshape(4, 6).repeat(2, 0).repeat(2, 1) + 1
    data = sequences(images, lambda frame: values)
    assert data.depth(0, 0).shape == (8, 12)
    depth = data[0].depth
    assert depth is not None
    assert torch.equal(depth[0, 0], torch.arange(24.0).reshape(4, 6) + 1)


def test_a_data_set_without_depth_or_cameras(images: tuple[Path, ...]) -> None:
    files = GeometryFiles("one", images)
    data = GeometrySequences("toy", lambda: [files], depth_protocol=None, pose_protocol=None)
    clip = data[0]
    assert (clip.depth, clip.valid, clip.camera_to_world, clip.intrinsics) == (None, None, None, None)
    with pytest.raises(ValueError, match=r"toy has no depth \(one\)"):
        data.depth(0, 0)


def test_another_number_of_poses_is_refused(images: tuple[Path, ...]) -> None:
    data = sequences(images[:2], None)
    with pytest.raises(ValueError, match="one of toy has 3 poses for 2 images; prepare it again"):
        data.cameras(0)
