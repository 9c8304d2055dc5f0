"""Pinhole cameras: points to pixels, depth to points, and the intrinsics behind a pointmap.

Conventions: motion4d.clip (pixel centres at integers, depth is z, intrinsics 3x3 in pixels). The leading axes of a
matrix are those of the points; every further axis of the points but the last numbers points, so that [B, N, 4, 4] goes
with [B, N, H, W, 3] and [B, 4, 4] with [B, P, 3].
"""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_grid(height: int, width: int, *, like: Tensor) -> Tensor:
    """Pixel centres (u, v) [H, W, 2] in the dtype and on the device of `like`."""
    u = torch.arange(width, device=like.device, dtype=like.dtype)
    v = torch.arange(height, device=like.device, dtype=like.dtype)
    return torch.stack((u.expand(height, width), v.unsqueeze(-1).expand(height, width)), dim=-1)


def transform_points(matrix: Tensor, points: Tensor) -> Tensor:
    """Apply rigid or similarity matrices [..., 4, 4] to points [..., 3].

    Written without a matrix product, so that autocast never rounds coordinates to half precision.
    """
    per_point = _beside(matrix, points)
    rotation, translation = per_point[..., :3, :3], per_point[..., :3, 3]
    x, y, z = points.unsqueeze(-2).unbind(-1)
    return x * rotation[..., 0] + y * rotation[..., 1] + z * rotation[..., 2] + translation


def project(points: Tensor, intrinsics: Tensor) -> Tensor:
    """Points in camera coordinates [..., 3] -> pixels (u, v) [..., 2]; points need z != 0."""
    per_point = _beside(intrinsics, points)
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    u = per_point[..., 0, 0] * x + per_point[..., 0, 1] * y + per_point[..., 0, 2]
    return torch.stack((u, per_point[..., 1, 1] * y + per_point[..., 1, 2]), dim=-1)


def unproject(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Depth maps [..., H, W] -> pointmaps in camera coordinates [..., H, W, 3]; intrinsics [..., 3, 3]."""
    u, v = pixel_grid(*depth.shape[-2:], like=depth).unbind(-1)
    per_pixel = intrinsics[..., None, None, :, :]
    y = (v - per_pixel[..., 1, 2]) / per_pixel[..., 1, 1]
    x = (u - per_pixel[..., 0, 2] - per_pixel[..., 0, 1] * y) / per_pixel[..., 0, 0]
    return torch.stack((x * depth, y * depth, depth), dim=-1)


def intrinsics_matrix(focal: Tensor, centre: Tensor) -> Tensor:
    """Focal lengths (fx, fy) and principal points (x, y), both [..., 2] in pixels -> intrinsics [..., 3, 3]."""
    left = torch.cat((torch.diag_embed(focal), centre.unsqueeze(-1)), dim=-1)
    return torch.cat((left, left.new_tensor([0.0, 0.0, 1.0]).expand(*left.shape[:-2], 1, 3)), dim=-2)


def intrinsics_from_rays(rays: Tensor) -> Tensor:
    """Least-squares intrinsics [..., 3, 3] of a pointmap or ray map [..., H, W, 3], principal point at the centre.

    Closed form per view: fx = sum a (u - cx) / sum a^2 with a = x / |z|, likewise fy. No outlier rejection.
    """
    slope, pixels = _slopes(rays)
    height, width = rays.shape[-3:-1]
    centre = pixels.new_tensor([(width - 1) / 2, (height - 1) / 2])
    focal = (slope * (pixels - centre)).sum((-3, -2)) / slope.square().sum((-3, -2))
    return intrinsics_matrix(focal, centre.expand_as(focal))


def intrinsics_from_rays_free(rays: Tensor) -> Tensor:
    """Least-squares intrinsics [..., 3, 3] of a ray map [..., H, W, 3] with a free principal point: u = fx a + cx."""
    slope, pixels = _slopes(rays)
    mean_slope, mean_pixel = slope.mean((-3, -2), keepdim=True), pixels.mean((-3, -2), keepdim=True)
    spread = slope - mean_slope
    focal = (spread * (pixels - mean_pixel)).sum((-3, -2)) / spread.square().sum((-3, -2))
    return intrinsics_matrix(focal, mean_pixel.flatten(-3)[..., -2:] - focal * mean_slope.flatten(-3)[..., -2:])


def _beside(matrix: Tensor, points: Tensor) -> Tensor:
    """`matrix` with axes of size 1 inserted, so that it broadcasts over the point axes."""
    missing = points.ndim - 1 - (matrix.ndim - 2)
    return matrix.reshape(*matrix.shape[:-2], *([1] * missing), *matrix.shape[-2:])


def _slopes(rays: Tensor) -> tuple[Tensor, Tensor]:
    """(x / |z|, y / |z|) [..., H, W, 2] and pixel centres [H, W, 2]."""
    slope = rays[..., :2] / (rays[..., 2:].abs() + 1e-10)
    return slope, pixel_grid(rays.shape[-3], rays.shape[-2], like=rays)
