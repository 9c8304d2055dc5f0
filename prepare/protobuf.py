"""Messages of protocol buffers taken apart by field number, without their definition and without a library.

Only what is needed to read data that others wrote: varints, fixed 32 and 64 bit values, and bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Value = int | memoryview  # a varint, or the bytes of everything else
Fields = dict[int, list[Value]]

_FIXED = {1: 8, 5: 4}  # wire type -> bytes


def fields(message: bytes | memoryview) -> Fields:
    """Field number -> its values in order. A ValueError if this is no message."""
    view, place = memoryview(message), 0
    found: Fields = {}
    while place < len(view):
        key, place = _varint(view, place)
        number, kind = key >> 3, key & 7
        value: Value
        if kind == 0:
            value, place = _varint(view, place)
        else:
            length, place = (_FIXED[kind], place) if kind in _FIXED else _length(view, place, kind)
            if place + length > len(view):
                raise ValueError("a message is truncated")
            value, place = view[place : place + length], place + length
        found.setdefault(number, []).append(value)
    return found


def inner(values: Sequence[Value]) -> list[Fields]:
    """Messages within a message."""
    return [fields(value) for value in values if isinstance(value, memoryview)]


def numbers(values: Sequence[Value], kind: str) -> NDArray[np.generic]:
    """Repeated floating point values of the numpy type `kind` ("<f4", "<f8"), packed or not."""
    return np.frombuffer(b"".join(value for value in values if isinstance(value, memoryview)), kind)


def integers(values: Sequence[Value]) -> NDArray[np.int64]:
    """Repeated varints, packed or not."""
    parts = [np.array([value], np.int64) if isinstance(value, int) else _unpacked(value) for value in values]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _unpacked(packed: memoryview) -> NDArray[np.int64]:
    """Varints one after the other: seven bits a byte, the lowest first; the highest bit says that there are more."""
    data = np.frombuffer(packed, np.uint8)
    starts = np.flatnonzero(np.concatenate(([True], data[:-1] < 128)))
    if not len(data) or data[-1] >= 128:
        return np.zeros(0, np.int64)
    place = np.arange(len(data)) - np.repeat(starts, np.diff(starts, append=len(data)))
    bits = (data & 127).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def _length(view: memoryview, place: int, kind: int) -> tuple[int, int]:
    if kind != 2:
        raise ValueError(f"a message has a field of the unknown type {kind}")
    return _varint(view, place)


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at `place`, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(view):
            break
        byte = view[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("a message is damaged")
