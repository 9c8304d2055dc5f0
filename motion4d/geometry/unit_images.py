"""Cameras of an image as the unit square: a point is (x / W, y / H), intrinsics have row 0 / W and row 1 / H.

The rule of SegAffordance (motion4d.part). Projection itself is motion4d.geometry.projection's, which knows no units.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.geometry.projection import project

NEAR = 0.05  # metres: nearer points are not seen


def unit_intrinsics(intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """Intrinsics in pixels of an image of this (H, W) -> of the unit square, both [..., 3, 3]."""
    height, width = size
    return intrinsics / intrinsics.new_tensor([width, height, 1.0]).unsqueeze(-1)


def project_in_front(points: Tensor, intrinsics: Tensor, *, near: float = NEAR) -> Tensor:
    """Points [..., 3] in the camera's frame -> [..., 2]; a depth below `near` counts as that, so that all are finite.

    A matrix's leading axes are those of the points, as in motion4d.geometry.projection.
    """
    depth = points[..., 2:].clamp(min=near)
    return project(torch.cat((points[..., :2], depth), dim=-1), intrinsics)


def lift(points: Tensor, depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Points of an image [B, 2] at depths [B] -> points of the camera's frame [B, 3]."""
    y = (points[..., 1] - intrinsics[..., 1, 2]) / intrinsics[..., 1, 1]
    x = (points[..., 0] - intrinsics[..., 0, 2] - intrinsics[..., 0, 1] * y) / intrinsics[..., 0, 0]
    return depth.unsqueeze(-1) * torch.stack((x, y, torch.ones_like(x)), dim=-1)


def depth_at(depth: Tensor, points: Tensor) -> Tensor:
    """Depth maps [B, H, W] at points of the unit square [B, 2], bilinear; beyond the border it is 0: [B]."""
    grid = (2 * points - 1)[:, None, None]
    return F.grid_sample(depth.unsqueeze(1), grid, align_corners=False).flatten()
