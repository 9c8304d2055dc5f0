"""What decides whether an element of SceneFun3D is used: four numbers per record, and their limits. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.layouts.scenefun3d_records import MIN_DEPTH, Record


@dataclass(frozen=True)
class Measures:
    """occluded: part of the points that the sensor does not see; radius: of a rotation, metres; area: part of the
    image that the mask covers; edge: distance of the touched point (and of the axis beside it) to the image's border,
    part of its side, negative outside. None: not known, which keeps a record.
    """

    occluded: float | None
    radius: float | None
    area: float
    edge: float | None


@dataclass(frozen=True)
class Limits:
    """Which records are used; as published by default. max_occluded None, the others 0: no limit."""

    max_occluded: float | None = 0.5
    min_radius: float = 0.0
    min_area: float = 0.0
    margin: float = 0.0

    def keep(self, found: Measures) -> bool:
        """Whether a record is used."""
        if self.max_occluded is not None and found.occluded is not None and found.occluded > self.max_occluded:
            return False
        if self.min_radius > 0 and found.radius is not None and found.radius < self.min_radius:
            return False
        if self.min_area > 0 and found.area < self.min_area:
            return False
        return not (self.margin > 0 and found.edge is not None and found.edge < self.margin)


def measured(record: Record) -> Measures:
    """The measures of a record."""
    height, width = record.size
    foot = _foot(record)
    radius = None if foot is None else float(np.linalg.norm(record.trajectory[0] - foot))
    edges = [] if record.track is None else [_edge(record.track[0], record.size)]
    if foot is not None:
        edges.append(_edge(_projected(record.intrinsics, foot), record.size))
    edge = min(edges) if edges else None
    return Measures(record.occluded, radius, record.mask_pixels / (height * width), edge)


def _foot(record: Record) -> NDArray[np.float64] | None:
    """The point of a rotation's axis that is nearest to the trajectory's first point."""
    length = float(np.linalg.norm(record.direction))
    if record.kind == 0 or length == 0:
        return None
    direction = record.direction / length
    foot: NDArray[np.float64] = record.origin + (record.trajectory[0] - record.origin) @ direction * direction
    return foot


def _projected(intrinsics: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """(x, y) in pixels; far outside if it is not in front of the camera."""
    if point[2] <= MIN_DEPTH:
        return np.full(2, -1e9)
    pixel: NDArray[np.float64] = (intrinsics @ point)[:2] / point[2]
    return pixel


def _edge(pixel: NDArray[np.float64], size: tuple[int, int]) -> float:
    x, y = pixel / size[::-1]
    return float(min(x, 1 - x, y, 1 - y))
