"""PLY: what is written is read back, the header is the published one, and damaged files are refused."""

import numpy as np
import pytest

from motion4d.io.ply import read_ply, write_ply


def test_round_trip(tmp_path):
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    colours = np.random.default_rng(1).integers(0, 256, (50, 3), dtype=np.uint8)
    write_ply(tmp_path / "cloud.ply", points, colours, -points)
    cloud = read_ply(tmp_path / "cloud.ply")
    assert np.array_equal(cloud.points, points)
    assert np.array_equal(cloud.colours, colours)
    assert np.array_equal(cloud.normals, -points)
    assert [file.name for file in tmp_path.iterdir()] == ["cloud.ply"]


def test_layout_is_27_bytes_per_point_and_float_colours_are_cut_off(tmp_path):
    write_ply(tmp_path / "cloud.ply", np.ones((2, 3)), np.array([[0.999, 0.5, 0], [1, 2, -1]]))
    header, _, body = (tmp_path / "cloud.ply").read_bytes().partition(b"end_header\n")
    assert b"element vertex 2\nproperty float x\n" in header
    assert len(body) == 2 * 27
    assert read_ply(tmp_path / "cloud.ply").colours.tolist() == [[254, 127, 0], [255, 255, 0]]


def test_reads_files_without_colours(tmp_path):
    header = b"ply\nformat binary_little_endian 1.0\ncomment x\nelement vertex 1\n"
    header += b"property double x\nproperty double y\nproperty double z\nend_header\n"
    (tmp_path / "cloud.ply").write_bytes(header + np.array([1.0, 2, 3]).tobytes())
    cloud = read_ply(tmp_path / "cloud.ply")
    assert cloud.points.tolist() == [[1, 2, 3]]
    assert cloud.colours.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("damage", "message"), [(b"not a ply", "not a binary"), (None, "truncated")])
def test_damaged_files_are_refused(tmp_path, damage, message):
    path = tmp_path / "cloud.ply"
    write_ply(path, np.ones((3, 3)), np.ones((3, 3)))
    path.write_bytes(path.read_bytes()[:-5] if damage is None else damage)
    with pytest.raises(ValueError, match=message):
        read_ply(path)


def test_shapes_must_agree(tmp_path):
    with pytest.raises(ValueError, match=r"must both be \[P, 3\]"):
        write_ply(tmp_path / "cloud.ply", np.ones((3, 3)), np.ones((2, 3)))
    assert not list(tmp_path.iterdir())
