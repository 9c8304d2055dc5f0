"""Points and lines with colours as binary glTF 2.0 (.glb), which browsers, Blender and most viewers open.

Positions are given with OpenCV axes (motion4d.clip); the file turns them half around x, so that glTF's y points up.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path

POINTS, LINES = 0, 1  # glTF's numbers of the two modes
_FLOAT, _BYTE = 5126, 5121
_ARRAY_BUFFER = 34962


@dataclass(frozen=True)
class Shape:
    """name: what viewers show; mode: POINTS or LINES (every two points are one); points, colours (uint8) [P, 3]."""

    name: str
    mode: int
    points: NDArray[np.floating]
    colours: NDArray[np.uint8]


def write_glb(path: str | Path, shapes: Sequence[Shape]) -> None:
    """Write the shapes that are not empty, one node each; atomically."""
    shapes = [shape for shape in shapes if len(shape.points)]
    blocks: list[bytes] = []
    accessors: list[dict[str, Any]] = []
    views: list[dict[str, Any]] = []
    for shape in shapes:
        positions = np.ascontiguousarray(shape.points, "<f4")
        opaque = np.full((len(positions), 1), 255, np.uint8)  # four bytes: glTF aligns every colour to four
        limits = {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
        for values, described in (
            (positions, {"componentType": _FLOAT, "type": "VEC3", **limits}),
            (np.hstack((shape.colours, opaque)), {"componentType": _BYTE, "type": "VEC4", "normalized": True}),
        ):
            accessors.append({"bufferView": len(views), "count": len(positions), **described})
            start, block = sum(map(len, blocks)), values.tobytes()
            views.append({"buffer": 0, "byteOffset": start, "byteLength": len(block), "target": _ARRAY_BUFFER})
            blocks.append(block)
    text = json.dumps(_document(shapes, accessors, views, sum(map(len, blocks)))).encode()
    text += b" " * (-len(text) % 4)
    chunks = [(b"JSON", text), (b"BIN\0", b"".join(blocks))]
    total = 12 + sum(8 + len(data) for _, data in chunks)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<4sII", b"glTF", 2, total))
        for kind, data in chunks:
            file.write(struct.pack("<I4s", len(data), kind) + data)


def _document(
    shapes: Sequence[Shape], accessors: list[dict[str, Any]], views: list[dict[str, Any]], length: int
) -> dict[str, Any]:
    """The JSON part: one root node, which turns the axes, with a child per shape."""
    meshes = [
        {
            "name": shape.name,
            "primitives": [
                {"attributes": {"POSITION": 2 * k, "COLOR_0": 2 * k + 1}, "mode": shape.mode, "material": 0}
            ],
        }
        for k, shape in enumerate(shapes)
    ]
    children = [{"name": shape.name, "mesh": k} for k, shape in enumerate(shapes)]
    root = {"name": "scene", "rotation": [1.0, 0.0, 0.0, 0.0], "children": list(range(1, len(shapes) + 1))}
    return {
        "asset": {"version": "2.0", "generator": "motion4d"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [root, *children],
        "meshes": meshes,
        "materials": [{"extensions": {"KHR_materials_unlit": {}}}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": length}],
    }
