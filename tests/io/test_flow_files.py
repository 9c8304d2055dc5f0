"""Flow files: exact round trips, the published bytes, and files that are damaged or of another kind."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from motion4d.io.flow_files import decode_kitti, encode_kitti, read_flow, write_flow
from motion4d.io.png16 import SIGNATURE, read_png16, write_png16
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


def some_flow(height: int = 7, width: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 20, (height, width, 2)).astype(np.float32)


@pytest.mark.parametrize("case", cases_of("flow", kinds=["flow_files"]))
def test_reference(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("suffix", [".flo", ".pfm", ".npy", ".npz"])
def test_every_bit_comes_back(suffix: str, tmp_path: Path) -> None:
    flow = some_flow()
    write_flow(tmp_path / f"a{suffix}", flow)
    assert np.array_equal(read_flow(tmp_path / f"a{suffix}"), flow)
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_kitti_rounds_and_marks_what_is_unknown(tmp_path: Path) -> None:
    flow = some_flow()
    flow[0, 0] = np.nan
    flow[1, 1, 0] = 600  # out of range
    write_flow(tmp_path / "a.png", flow)
    back = read_flow(tmp_path / "a.png")
    unknown = np.isnan(back).any(-1)
    assert unknown.sum() == 2
    assert unknown[0, 0]
    assert unknown[1, 1]
    assert np.abs(back - flow)[~unknown].max() <= 1 / 128
    assert np.array_equal(encode_kitti(decode_kitti(encode_kitti(flow))), encode_kitti(flow))


def test_unknown_pixels_of_flo_are_nan(tmp_path: Path) -> None:
    flow = some_flow()
    flow[2, 3] = np.nan
    write_flow(tmp_path / "a.flo", flow)
    assert np.array_equal(read_flow(tmp_path / "a.flo"), flow, equal_nan=True)


def test_pfm_of_either_byte_order_begins_at_the_bottom(tmp_path: Path) -> None:
    image = np.zeros((2, 3, 3), ">f4")
    image[0, 0] = (5, -6, 0)  # first in the file: the bottom left pixel
    (tmp_path / "a.pfm").write_bytes(b"PF\n3 2\n1.0\n" + image.tobytes())
    assert read_flow(tmp_path / "a.pfm")[1, 0].tolist() == [5, -6]


@pytest.mark.parametrize("kind", range(5))
def test_every_png_filter_is_undone(kind: int, tmp_path: Path) -> None:
    values = np.random.default_rng(kind).integers(0, 2**16, (4, 5, 3), np.uint16)
    rows = values.astype(">u2").reshape(4, -1).view(np.uint8).astype(int)
    filtered = b"".join(bytes([kind]) + _filter_row(kind, rows, number) for number in range(4))
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tEXt", b"a\0b"), (b"IDAT", zlib.compress(filtered)), (b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    (tmp_path / "a.png").write_bytes(SIGNATURE + content)
    assert np.array_equal(read_png16(tmp_path / "a.png"), values)


def _filter_row(kind: int, rows: np.ndarray, number: int) -> bytes:
    """The PNG standard's filters, written pixel by pixel."""
    out = []
    for place, value in enumerate(rows[number]):
        left = rows[number, place - 6] if place >= 6 else 0
        above = rows[number - 1, place] if number else 0
        corner = rows[number - 1, place - 6] if number and place >= 6 else 0
        estimate = left + above - corner
        nearest = min((left, above, corner), key=lambda neighbour, e=estimate: abs(e - neighbour))
        prediction = (0, left, above, (left + above) // 2, nearest)[kind]
        out.append((value - prediction) % 256)
    return bytes(int(value) for value in out)


def test_png16_comes_back(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (9, 4, 3), np.uint16)
    write_png16(tmp_path / "a.png", values)
    assert np.array_equal(read_png16(tmp_path / "a.png"), values)


@pytest.mark.parametrize("suffix", [".flo", ".png", ".pfm", ".npy", ".npz"])
@pytest.mark.parametrize("damage", ["truncated", "another kind", "empty"])
def test_a_damaged_file_is_named(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_flow(path, some_flow(40, 30))
    content = {"truncated": path.read_bytes()[:-40], "another kind": b"<html>" * 40, "empty": b""}[damage]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"cannot read .*a{suffix}"):
        read_flow(path)


def test_other_names_and_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="known are .flo, .png"):
        read_flow(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match="there is no flow file"):
        read_flow(tmp_path / "a.flo")
    with pytest.raises(ValueError, match=r"needs \[H, W, 2\], but got \(4, 5\)"):
        write_flow(tmp_path / "a.flo", np.zeros((4, 5), np.float32))
