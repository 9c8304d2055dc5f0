"""The network's point of the image, lifted with the depth that was measured there."""

from __future__ import annotations

from torch import Tensor

from motion4d.geometry.unit_images import depth_at, lift
from motion4d.losses.parts.reading import camera, measured_depth, said
from motion4d.part import PartPrediction, PartQuery

LEAST_DEPTH = 1e-3  # metres: less is not measured


def lifted_point(prediction: PartPrediction, query: PartQuery, *, detach: bool = False) -> tuple[Tensor, Tensor]:
    """The point in the camera's frame [B, 3] and whether its depth was measured [B] bool.

    detach: no gradient reaches the point of the image.
    """
    point = said(prediction, "point")
    return lifted(point.detach() if detach else point, query)


def lifted(points: Tensor, query: PartQuery) -> tuple[Tensor, Tensor]:
    """The same of points of the unit square [B, 2]."""
    depth = depth_at(measured_depth(query), points)
    return lift(points, depth, camera(query)), depth > LEAST_DEPTH
