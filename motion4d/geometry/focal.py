"""The focal length behind a pointmap in camera coordinates, for square pixels and a known principal point."""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.projection import pixel_grid


def focal_from_points(points: Tensor, principal_point: Tensor, *, iterations: int = 10) -> Tensor:
    """Pointmaps [..., H, W, 3] -> focal lengths [...], pixels: the least sum of distances |p - f a| (Weiszfeld 1937).

    a = (x, y) / z, p = pixel - principal point [2]; points at z = 0 count as a = 0. Never negative.
    """
    slope, pixels = _slope(points), _centred(points, principal_point)
    product, square = (slope * pixels).sum(-1), slope.square().sum(-1)
    focal = product.mean((-2, -1)) / square.mean((-2, -1))
    for _ in range(iterations):
        distance = (pixels - focal[..., None, None, None] * slope).norm(dim=-1)
        weight = 1 / distance.clamp_min(1e-8)
        focal = (weight * product).mean((-2, -1)) / (weight * square).mean((-2, -1))
    return focal.clamp_min(0)


def median_focal_from_points(points: Tensor, principal_point: Tensor) -> Tensor:
    """Pointmaps [..., H, W, 3] -> focal lengths [...]: the median of u z / x and v z / y over all pixels."""
    x, y, z = points.unbind(-1)
    u, v = _centred(points, principal_point).unbind(-1)
    votes = torch.cat(((u * z / x).flatten(-2), (v * z / y).flatten(-2)), -1)
    return votes.nanmedian(-1).values


def _slope(points: Tensor) -> Tensor:
    return (points[..., :2] / points[..., 2:]).nan_to_num(0.0, 0.0, 0.0)


def _centred(points: Tensor, principal_point: Tensor) -> Tensor:
    return pixel_grid(*points.shape[-3:-1], like=points) - principal_point.to(points)
