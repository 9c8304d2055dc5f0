"""Depth, cameras and poses of data sets: what was written comes back; what is damaged is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from motion4d.io.depth_files import read_depth_npy, read_depth_png, write_depth_npy, write_depth_png
from motion4d.io.images import write_image
from motion4d.io.sintel_files import read_cam, read_dpt, write_cam, write_dpt
from motion4d.io.tum_files import parse_rows, pose_matrices, pose_numbers, read_poses, read_stamped


def test_depth_png_keeps_sixteen_bits_and_says_what_it_cannot(tmp_path: Path) -> None:
    depth = np.array([[0.0, 1.23453, 13.107], [13.1072, np.inf, -1.0]])
    write_depth_png(tmp_path / "depth.png", depth, per_unit=5000)
    read = read_depth_png(tmp_path / "depth.png", per_unit=5000)
    np.testing.assert_allclose(read, [[0, 1.2346, 13.107], [0, 0, 0]], atol=1e-6)
    write_image(tmp_path / "colour.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="colour.png is an image of 3 axes, but depth is one grey channel"):
        read_depth_png(tmp_path / "colour.png", per_unit=5000)


def test_depth_npy(tmp_path: Path) -> None:
    depth = np.random.default_rng(0).random((3, 4, 1), np.float32)
    write_depth_npy(tmp_path / "a.npy", depth)
    assert np.array_equal(read_depth_npy(tmp_path / "a.npy"), depth[..., 0])
    for wrong in (np.zeros((3, 4, 2)), np.zeros((3, 4), np.int32), np.array([[{}]])):
        np.save(tmp_path / "b.npy", wrong, allow_pickle=True)
        with pytest.raises(ValueError, match=r"b\.npy"):
            read_depth_npy(tmp_path / "b.npy")


def test_sintel_files(tmp_path: Path) -> None:
    """Byte by byte as the data set's description says."""
    depth = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_dpt(tmp_path / "a.dpt", depth)
    content = (tmp_path / "a.dpt").read_bytes()
    assert content[:4] == b"PIEH"
    assert np.frombuffer(content[4:12], "<i4").tolist() == [3, 2]
    assert np.array_equal(read_dpt(tmp_path / "a.dpt"), depth)
    pose = pose_matrices(np.array([[1.0, 2, 3, 0.1, 0.2, 0.3, 0.9]]))[0]
    intrinsics = np.array([[700.0, 0, 511.5], [0, 700, 217.5], [0, 0, 1]])
    write_cam(tmp_path / "a.cam", intrinsics, pose)
    assert (tmp_path / "a.cam").stat().st_size == 4 + 8 * 21
    read = read_cam(tmp_path / "a.cam")
    assert np.array_equal(read[0], intrinsics)
    assert np.array_equal(read[1], pose)


@pytest.mark.parametrize("length", [3, 4, 11, 13, 35])
def test_a_file_of_sintel_that_is_cut_short(tmp_path: Path, length: int) -> None:
    write_dpt(tmp_path / "whole", np.zeros((2, 3), np.float32))
    (tmp_path / "cut").write_bytes((tmp_path / "whole").read_bytes()[:length])
    for read in (read_dpt, read_cam):
        with pytest.raises(ValueError, match="cut (is damaged|does not begin like)"):
            read(tmp_path / "cut")


def test_lists_of_tum(tmp_path: Path) -> None:
    (tmp_path / "rgb.txt").write_text("# stamp file\n1.5\trgb/b.png\n0.5, rgb/a.png\n\n1.5 rgb/c.png\n")
    assert read_stamped(tmp_path / "rgb.txt") == {0.5: "rgb/a.png", 1.5: "rgb/c.png"}
    with pytest.raises(ValueError, match="line 1 of rgb.txt does not begin with a time stamp: 'rgb/a.png 1'"):
        parse_rows(["rgb/a.png 1"], "rgb.txt")
    (tmp_path / "empty.txt").write_text("# stamp file\n")
    with pytest.raises(ValueError, match="empty.txt holds no lines"):
        read_stamped(tmp_path / "empty.txt")


def test_poses_of_tum(tmp_path: Path) -> None:
    """A quarter turn about z, of a quaternion that is not normalised: x goes to y."""
    (tmp_path / "poses.txt").write_text("1.0 1 2 3 0 0 5 5\n1.0 0 0 0 0 0 0 -2\n")
    stamps, poses = read_poses(tmp_path / "poses.txt")
    assert stamps.tolist() == [1.0, 1.0]  # rows stay, whatever their stamps
    np.testing.assert_allclose(poses[0] @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    np.testing.assert_allclose(poses[1], np.eye(4), atol=1e-12)
    np.testing.assert_allclose(pose_matrices(pose_numbers(poses)), poses, atol=1e-12)
    for line in ("1.0 1 2 3 0 0 0\n", "1.0 1 2 3 0 0 0 0\n", "1.0 1 2 3 0 0 0 one\n"):
        (tmp_path / "poses.txt").write_text(line)
        with pytest.raises(ValueError, match="poses.txt does not hold lines of stamp tx ty tz qx qy qz qw"):
            read_poses(tmp_path / "poses.txt")
