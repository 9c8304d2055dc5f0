"""Waymo's records, read without TensorFlow: the container, protocol buffers, and where a laser's beams point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prepare import waymo_frame
from prepare.export.waymo import encode
from prepare.protobuf import fields, inner, integers, numbers
from prepare.tfrecords import masked_crc, read_record, spans, write_records


def test_records_come_back(tmp_path: Path) -> None:
    records = [b"first", b"", bytes(range(256)) * 40]
    write_records(tmp_path / "a.tfrecord", records)
    found = spans(tmp_path / "a.tfrecord")
    assert [read_record(tmp_path / "a.tfrecord", span) for span in found] == records


def test_published_value_of_the_checksum() -> None:
    """CRC-32C of "123456789" is E3069283 (Castagnoli et al.), which TFRecord rotates by 15 and shifts."""
    crc = 0xE3069283
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def test_other_and_truncated_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_records(path, [b"one", b"two" * 10])
    content = path.read_bytes()
    for damaged in (content[:-9], content[:24], b"no records at all", content[:5]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.tfrecord is (no TFRecord file|truncated)"):
            spans(path)


def test_messages_are_taken_apart() -> None:
    values = np.array([0, 1, 127, 128, 300, 2**31 - 1], np.int64)
    packed = b"".join(_varint(int(value)) for value in values)
    message = fields(encode({1: 150, 2: b"testing", 3: {1: packed}, 4: np.array([1.5, -2.0])}))
    assert message[1] == [150]
    assert bytes(message[2][0]) == b"testing"  # type: ignore[arg-type]
    (deeper,) = inner(message[3])
    assert integers(deeper[1]).tolist() == values.tolist()
    assert numbers(message[4], "<f8").tolist() == [1.5, -2.0]


def test_negative_and_unpacked_numbers() -> None:
    """-1 as protocol buffers write an int32, with ten bytes; doubles one by one, as proto2 writes them."""
    minus_one = b"\xff" * 9 + b"\x01"
    assert integers([memoryview(minus_one + b"\x05")]).tolist() == [-1, 5]
    one_by_one = b"".join(b"\x09" + np.float64(value).tobytes() for value in (1.0, 2.0))
    assert numbers(fields(one_by_one)[1], "<f8").tolist() == [1.0, 2.0]


@pytest.mark.parametrize("damaged", [b"\x0a\xff\x01", b"\x0f\x01", b"\xff"])
def test_damaged_messages_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="a message"):
        fields(damaged)


def _varint(value: int) -> bytes:
    head = []
    while value > 127:
        head.append(value & 127 | 128)
        value >>= 7
    return bytes([*head, value])


@pytest.mark.parametrize("yaw", [0.0, 0.4, -2.5])
def test_the_middle_column_looks_ahead_whichever_way_the_laser_is_mounted(yaw: float) -> None:
    place = np.eye(4)
    place[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    place[:3, 3] = [1.0, 2.0, 3.0]
    calibration = fields(encode({3: np.array([-0.3]), 4: np.array([0.3]), 5: {1: place}}))
    points = waymo_frame._points(np.full((3, 101), 10.0), calibration) - place[:3, 3]
    assert np.allclose(np.linalg.norm(points, axis=-1), 10)
    assert np.allclose(points[1, 50], [10, 0, 0])
    assert points[1, 40, 1] > 0  # columns go clockwise, left comes before right
    assert points[0, 50, 2] > 0 > points[2, 50, 2]


def test_what_is_no_frame_is_named() -> None:
    with pytest.raises(ValueError, match="a frame has no context"):
        waymo_frame.camera(encode({3: {1: np.eye(4)}}))
