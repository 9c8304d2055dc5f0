"""TFRecord files without TensorFlow: where the records lie, and their bytes.

A record is its length (uint64), a checksum of that, the bytes, a checksum of those; all little-endian. Only the first
checksum (CRC-32C, rotated and shifted) is verified: it tells that the file is of this kind, and that it is in step.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from motion4d.io.files import atomic_path

Span = tuple[int, int]  # offset and length in the file, bytes
HEADER, FOOTER = 12, 4


def spans(path: Path) -> list[Span]:
    """Where the records lie; a ValueError names a file that is damaged or of another kind."""
    found, size = [], path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place < size:
            file.seek(place)
            header = file.read(HEADER)
            length, checksum = struct.unpack("<QI", header.ljust(HEADER, b"\0"))
            if len(header) < HEADER or checksum != masked_crc(header[:8]):
                raise ValueError(f"{path} is no TFRecord file, or damaged at byte {place}")
            found.append((place + HEADER, length))
            place += HEADER + length + FOOTER
    if place > size:
        raise ValueError(f"{path} is truncated: its last record ends {place - size} bytes after the file")
    return found


def read_record(path: Path, span: Span) -> bytes:
    """The bytes of one record."""
    with path.open("rb") as file:
        file.seek(span[0])
        return file.read(span[1])


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """Write a file atomically; the checksum of the bytes, which is not read here, is right as well."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for record in records:
            length = struct.pack("<Q", len(record))
            parts = (length, struct.pack("<I", masked_crc(length)), record, struct.pack("<I", masked_crc(record)))
            file.write(b"".join(parts))


def masked_crc(data: bytes) -> int:
    """TFRecord's checksum of some bytes."""
    table, state = _table(), 0xFFFFFFFF
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    crc = state ^ 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> list[int]:
    """CRC-32C (Castagnoli), reflected."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table
