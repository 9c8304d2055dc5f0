"""What other programs read of a reconstruction: glTF, COLMAP's text model, TUM trajectories."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch

from motion4d.geometry.projection import project, transform_points
from motion4d.io.colmap import write_colmap
from motion4d.io.glb import LINES, POINTS, Shape, write_glb
from motion4d.io.ply import PointCloud
from motion4d.io.tum_files import read_poses, write_poses
from tests.geometry.test_poses import random_poses


def cloud(count: int) -> PointCloud:
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(1)).numpy()
    colours = (np.arange(3 * count) % 256).astype(np.uint8).reshape(count, 3)
    return PointCloud(points, colours, np.zeros_like(points))


def glb(path: Path) -> tuple[dict, bytes]:
    """The two chunks of a file, by the rules of glTF 2.0."""
    data = path.read_bytes()
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert (kind, length % 4) == (b"JSON", 0)
    size, kind = struct.unpack_from("<I4s", data, 20 + length)
    assert (kind, size % 4) == (b"BIN\0", 0)
    assert len(data) == 28 + length + size
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def test_a_glb_holds_its_shapes_with_their_colours(tmp_path: Path) -> None:
    dots, lines = cloud(7), cloud(4)
    shapes = [Shape("dots", POINTS, dots.points, dots.colours), Shape("lines", LINES, lines.points, lines.colours)]
    write_glb(tmp_path / "a.glb", [Shape("nothing", POINTS, dots.points[:0], dots.colours[:0]), *shapes])
    document, binary = glb(tmp_path / "a.glb")
    assert document["asset"]["version"] == "2.0"
    assert document["buffers"] == [{"byteLength": len(binary)}]
    root = document["nodes"][document["scenes"][0]["nodes"][0]]
    assert root["rotation"] == [1, 0, 0, 0]  # half around x: (x, y, z) -> (x, -y, -z)
    children = [document["nodes"][k] for k in root["children"]]
    assert [child["name"] for child in children] == ["dots", "lines"]
    for child, shape in zip(children, shapes, strict=True):
        (primitive,) = document["meshes"][child["mesh"]]["primitives"]
        assert primitive["mode"] == shape.mode
        found = {name: document["accessors"][k] for name, k in primitive["attributes"].items()}
        arrays = {}
        for name, width, dtype in (("POSITION", 3, "<f4"), ("COLOR_0", 4, np.uint8)):
            view = document["bufferViews"][found[name]["bufferView"]]
            assert view["byteOffset"] % 4 == 0
            block = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            arrays[name] = np.frombuffer(block, dtype).reshape(found[name]["count"], width)
        assert (arrays["POSITION"] == shape.points).all()
        assert found["POSITION"]["min"] == shape.points.min(0).tolist()
        assert found["POSITION"]["max"] == shape.points.max(0).tolist()
        assert (arrays["COLOR_0"][:, :3] == shape.colours).all()
        assert (arrays["COLOR_0"][:, 3] == 255).all()


def test_colmap_sees_points_where_our_cameras_do(tmp_path: Path) -> None:
    poses, points = random_poses(3, seed=2), torch.rand(1, 5, 3, dtype=torch.float64) + torch.tensor([0, 0, 4.0])
    world = transform_points(poses, points.expand(3, 5, 3))
    matrix = torch.tensor([[30.0, 0, 15.5], [0, 31, 11.5], [0, 0, 1]], dtype=torch.float64).expand(3, 3, 3)
    seen = project(points.expand(3, 5, 3), matrix).numpy()
    write_colmap(tmp_path, ["a.png", "b c.png", "d.png"], (24, 32), matrix.numpy(), poses.numpy(), cloud(2))
    cameras = {row[0]: row[1:] for row in _rows(tmp_path / "cameras.txt")}
    lines = (tmp_path / "images.txt").read_text().splitlines()[2:]
    assert lines[1::2] == ["", "", ""]  # no points are known to be seen
    for k, line in enumerate(lines[::2]):
        number, *pose, camera, name = line.split(" ", 9)
        assert (int(number), name) == (k + 1, ["a.png", "b c.png", "d.png"][k])
        model, width, height, *parameters = cameras[camera]
        assert (model, width, height) == ("PINHOLE", "32", "24")
        fx, fy, cx, cy = map(float, parameters)
        w, x, y, z, *shift = map(float, pose)
        turn = _rotation(w, x, y, z)
        there = world[k].numpy() @ turn.T + shift
        pixels = there[:, :2] / there[:, 2:] * [fx, fy] + [cx, cy]
        np.testing.assert_allclose(pixels - 0.5, seen[k], atol=1e-5)  # COLMAP's first pixel is centred at 0.5
    points3d = _rows(tmp_path / "points3D.txt")
    np.testing.assert_allclose(np.array([row[1:4] for row in points3d], float), cloud(2).points, rtol=1e-6)
    assert [row[4:7] for row in points3d] == [list(map(str, colour)) for colour in cloud(2).colours]


def test_a_trajectory_reads_back(tmp_path: Path) -> None:
    poses = random_poses(4, seed=3).numpy()
    write_poses(tmp_path / "a.txt", [0, 0.1, 0.2, 1000.5], poses)
    stamps, again = read_poses(tmp_path / "a.txt")
    assert stamps.tolist() == [0, 0.1, 0.2, 1000.5]
    np.testing.assert_allclose(again, poses, atol=1e-7)


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]


def _rotation(w: float, x: float, y: float, z: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
