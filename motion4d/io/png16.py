"""16-bit RGB PNG files: what KITTI and others store flow in, and what image libraries silently cut to 8 bits.

Just enough of the PNG standard (ISO/IEC 15948): 16 bits per sample, colour type 2, not interlaced; all five row filters
are read, rows are written unfiltered.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLE = 6  # bytes of one pixel: the distance of a filter's left neighbour


def read_png16(path: str | Path) -> NDArray[np.uint16]:
    """[H, W, 3] uint16. A ValueError names a file that is damaged or of another kind."""
    content = Path(path).read_bytes()
    try:
        header, data = _header_and_data(content)
        width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
        if (depth, colour, interlaced) != (16, 2, 0):
            raise ValueError("it is not a plain 16-bit RGB image")
        rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + SAMPLE * width)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"cannot read {path} as a 16-bit PNG: {error}") from error
    return _unfilter(rows).view(">u2").reshape(height, width, 3).astype(np.uint16)


def write_png16(path: str | Path, values: NDArray[np.uint16]) -> None:
    """Write [H, W, 3] uint16 atomically."""
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(f"a 16-bit PNG needs [H, W, 3] uint16, but got {values.shape} {values.dtype} ({path})")
    height, width = values.shape[:2]
    rows = np.zeros((height, 1 + SAMPLE * width), np.uint8)
    rows[:, 1:] = values.astype(">u2").reshape(height, -1).view(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    with atomic_path(path) as temporary:
        temporary.write_bytes(SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _header_and_data(content: bytes) -> tuple[bytes, bytes]:
    if not content.startswith(SIGNATURE):
        raise ValueError("it is not a PNG file")
    found: dict[bytes, bytes] = {b"IHDR": b"", b"IDAT": b""}
    position = len(SIGNATURE)
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        data = content[position + 8 : position + 8 + length]
        if len(data) < length:
            raise ValueError("it is truncated")
        found[kind] = found.get(kind, b"") + data
        position += length + 12
    return found[b"IHDR"], found[b"IDAT"]


def _unfilter(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[H, 1 + bytes], the first byte of a row being its filter -> [H, bytes], contiguous."""
    out = np.zeros((len(rows), rows.shape[1] - 1), np.uint8)
    above = np.zeros(rows.shape[1] - 1, np.uint8)
    for number, row in enumerate(rows):
        out[number] = above = _unfilter_row(int(row[0]), row[1:], above)
    return out


def _unfilter_row(kind: int, row: NDArray[np.uint8], above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if kind == 0:
        return row
    if kind == 1:
        return np.cumsum(row.reshape(-1, SAMPLE), 0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return row + above
    if kind not in (3, 4):
        raise ValueError(f"cannot read a PNG row with the unknown filter {kind}")
    predict = _average if kind == 3 else _paeth
    upper = [0] * SAMPLE + above.tolist()
    line = [0] * SAMPLE + row.tolist()
    for place in range(SAMPLE, len(line)):
        prediction = predict(line[place - SAMPLE], upper[place], upper[place - SAMPLE])
        line[place] = (line[place] + prediction) & 255
    return np.array(line[SAMPLE:], np.uint8)


def _average(left: int, above: int, _: int) -> int:
    return (left + above) // 2


def _paeth(left: int, above: int, corner: int) -> int:
    """The neighbour that is nearest to left + above - corner."""
    estimate = left + above - corner
    return min((left, above, corner), key=lambda neighbour: abs(estimate - neighbour))
