"""Masks as COCO annotations hold them: polygons, and run lengths as a list or compressed to text. No torch.

The rasteriser gives the same pixels as pycocotools. A run-length code goes down the columns, one after the other, and
begins with a run outside of the mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCALE = 5  # vertices are rounded to this part of a pixel
MIN_VALUES = 6  # of a polygon: three vertices


def is_polygon(values: Any) -> bool:
    """Whether these are x, y, x, y, ... of three vertices at least; COCO's readers pass over what is not."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return False
    if len(values) < MIN_VALUES or len(values) % 2:
        return False
    return all(isinstance(value, int | float) and np.isfinite(value) for value in values)


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A `segmentation` entry -> [H, W]: the union of its polygons, or its run lengths; None and []: an empty mask.

    A ValueError if a run-length code is damaged or of another size.
    """
    if isinstance(segmentation, Mapping):
        return decode_rle(segmentation, size)
    mask = np.zeros(size, np.bool_)
    for polygon in segmentation or ():
        if is_polygon(polygon):
            mask |= draw_polygon(polygon, size)
    return mask


def draw_polygon(polygon: Sequence[float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """x, y, x, y, ... -> [H, W]."""
    height, width = size
    columns, rows = _outline(np.asarray(polygon, np.float64).reshape(-1, 2))
    changed = np.flatnonzero(np.diff(columns)) + 1
    new, old = columns[changed], columns[changed - 1]
    x = (np.where(new < old, new, new - 1) + 0.5) / SCALE - 0.5
    y = (np.minimum(rows[changed], rows[changed - 1]) + 0.5) / SCALE - 0.5
    kept = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    x, y = x[kept].astype(np.int64), np.ceil(y[kept].clip(0, height)).astype(np.int64)
    toggles = np.bincount(x * height + y, minlength=height * width + 1)[: height * width]
    inside: NDArray[np.bool_] = np.cumsum(toggles).reshape(width, height).T % 2 == 1
    return inside


def _outline(vertices: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of the finer grid along the closed polygon, edge after edge, both ends of each included."""
    start = np.trunc(vertices * SCALE + 0.5).astype(np.int64)
    end = np.roll(start, -1, axis=0)
    length = np.abs(end - start)
    wide = length[:, 0] >= length[:, 1]
    along = np.where(wide, 0, 1)  # the longer dimension of each edge
    edge = np.arange(len(start))
    backwards = start[edge, along] > end[edge, along]
    low, high = np.where(backwards[:, None], end, start), np.where(backwards[:, None], start, end)
    steps = length[edge, along]
    slope = (high[edge, 1 - along] - low[edge, 1 - along]) / np.maximum(steps, 1)
    which = np.repeat(edge, steps + 1)
    step = np.arange(len(which)) - np.repeat(np.cumsum(steps + 1) - steps - 1, steps + 1)
    step = np.where(backwards[which], steps[which] - step, step)
    first = low[which, along[which]] + step
    second = np.trunc(low[which, 1 - along[which]] + slope[which] * step + 0.5).astype(np.int64)
    return np.where(wide[which], first, second), np.where(wide[which], second, first)


def decode_rle(code: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """{"size": [H, W], "counts": list or text} -> [H, W]. A ValueError if it is damaged or of another size."""
    try:
        height, width = (int(side) for side in code["size"])
        counts = code["counts"]
        runs = _uncompressed(counts) if isinstance(counts, str | bytes) else np.asarray(counts, np.int64)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"this run-length mask is damaged ({error}); restore the annotations") from error
    if (height, width) != tuple(size):
        shown = f"{width}x{height}, but its image is {size[1]}x{size[0]}"
        raise ValueError(f"this run-length mask is {shown} (width x height); restore the annotations")
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError(f"the runs of this mask do not fill its {width}x{height} pixels; restore the annotations")
    mask: NDArray[np.bool_] = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
    return mask


def encode_rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """[H, W] -> {"size": [H, W], "counts": compressed text}."""
    flat = np.asarray(mask, np.bool_).T.reshape(-1)
    borders = np.flatnonzero(np.diff(flat, prepend=False))
    runs = np.diff(np.concatenate([[0], borders, [flat.size]]))
    return {"size": list(mask.shape), "counts": _compressed(runs.tolist())}


def _uncompressed(counts: str | bytes) -> NDArray[np.int64]:
    """COCO's text: five bits to a character, from the third run on as difference to the one before the last."""
    text = counts.encode("ascii") if isinstance(counts, str) else counts
    runs: list[int] = []
    place = 0
    while place < len(text):
        value = shift = 0
        more = True
        while more:
            bits = text[place] - 48
            if not 0 <= bits < 64:
                raise ValueError(f"a character {chr(text[place])!r}")
            value |= (bits & 31) << shift
            more = bool(bits & 32)
            place, shift = place + 1, shift + 5
            if not more and bits & 16:
                value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return np.array(runs, np.int64)


def _compressed(runs: Sequence[int]) -> str:
    text = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text.append(chr((bits | 32 if more else bits) + 48))
    return "".join(text)
