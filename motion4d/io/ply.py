"""Point clouds as binary PLY: x y z nx ny nz (float32) and red green blue (uint8) per point, little endian.

The layout of the released Pi3 exporter, which MeshLab, CloudCompare and Open3D open directly. Normals that are not
known are zeros. Coordinates are written as they come (motion4d.clip: OpenCV axes).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion4d.io.files import atomic_path

_FIELDS = [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [
    (name, "u1") for name in ("red", "green", "blue")
]
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2", "ushort": "<u2",
    "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4", "float": "<f4", "float32": "<f4",
    "double": "<f8", "float64": "<f8",
}  # fmt: skip


@dataclass(frozen=True)
class PointCloud:
    """points [P, 3] float32, colours [P, 3] uint8 RGB, normals [P, 3] float32 (zeros: not known)."""

    points: np.ndarray
    colours: np.ndarray
    normals: np.ndarray


def write_ply(path: str | Path, points: np.ndarray, colours: np.ndarray, normals: np.ndarray | None = None) -> None:
    """Write points [P, 3] with colours [P, 3]: uint8, or floats in [0, 1] (times 255, cut off, as published)."""
    normals = np.zeros_like(points) if normals is None else normals
    for name, values in (("colours", colours), ("normals", normals)):
        if values.shape != points.shape or points.shape[1:] != (3,):
            raise ValueError(f"points and {name} must both be [P, 3], but are {points.shape} and {values.shape}")
    if colours.dtype != np.uint8:
        colours = (np.clip(colours, 0, 1) * 255).astype(np.uint8)
    table = np.empty(len(points), dtype=_FIELDS)
    for column in range(3):
        for names, values in ((("x", "y", "z"), points), (("nx", "ny", "nz"), normals)):
            table[names[column]] = values[:, column]
        table[("red", "green", "blue")[column]] = colours[:, column]
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(_header(len(points)).encode("ascii"))
        file.write(table.tobytes())


def read_ply(path: str | Path) -> PointCloud:
    """Read a binary little-endian PLY whose first element is the vertices; colours and normals may be missing."""
    data = Path(path).read_bytes()
    header, found, body = data.partition(b"end_header\n")
    lines = header.decode("ascii", errors="replace").split("\n")
    if not found or lines[0].strip() != "ply" or not any(line.startswith("format binary_little") for line in lines):
        raise ValueError(f"{path} is not a binary little-endian PLY file")
    count, fields = _vertices(lines, path)
    table_type = np.dtype(fields)
    if len(body) < count * table_type.itemsize:
        raise ValueError(f"{path} is truncated: its header promises {count} points")
    table = np.frombuffer(body, table_type, count)
    return PointCloud(
        _columns(table, ("x", "y", "z"), np.float32),
        _columns(table, ("red", "green", "blue"), np.uint8),
        _columns(table, ("nx", "ny", "nz"), np.float32),
    )


def _header(count: int) -> str:
    kinds = {"<f4": "float", "u1": "uchar"}
    properties = "".join(f"property {kinds[kind]} {name}\n" for name, kind in _FIELDS)
    return f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"


def _vertices(lines: list[str], path: str | Path) -> tuple[int, list[tuple[str, str]]]:
    """Number and fields of the first element, which must be the vertices."""
    words = [line.split() for line in lines]
    elements = [index for index, line in enumerate(words) if line[:1] == ["element"]]
    if not elements or words[elements[0]][1] != "vertex":
        raise ValueError(f"{path} does not begin with its vertices")
    stop = elements[1] if len(elements) > 1 else len(words)
    properties = [line for line in words[elements[0] : stop] if line[:1] == ["property"]]
    if any(len(line) != 3 or line[1] not in _TYPES for line in properties):
        raise ValueError(f"{path} has a vertex property of a kind that point clouds do not have")
    return int(words[elements[0]][2]), [(line[2], _TYPES[line[1]]) for line in properties]


def _columns(table: np.ndarray, names: tuple[str, str, str], dtype: type) -> np.ndarray:
    """Three fields as [P, 3]; zeros where the file lacks them."""
    missing: np.ndarray = np.zeros(len(table), dtype)
    known = table.dtype.names or ()
    return np.stack([table[name].astype(dtype) if name in known else missing for name in names], axis=1)
