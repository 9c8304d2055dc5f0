"""Distrusting points that stand in front of what another frame sees with more confidence (DUSt3R)."""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points


@torch.no_grad()
def without_floaters(
    confidence: Tensor,
    depth: Tensor,
    points_world: Tensor,
    camera_to_world: Tensor,
    intrinsics: Tensor,
    *,
    tolerance: float = 0.001,
) -> Tensor:
    """Confidence [N, H, W] with 0 where a point hides a surer point of another frame.

    depth [N, H, W], points_world [N, H, W, 3], camera_to_world [N, 4, 4], intrinsics [N, 3, 3]. A point of frame i
    hides frame j's pixel if it projects there closer than (1 - tolerance) of j's depth. Frames are visited in order,
    and a point that has lost its confidence distrusts no other point any more.
    """
    frames, height, width = depth.shape
    cleaned = confidence.flatten(1).clone()
    far = (1 - tolerance) * depth.flatten(1)
    to_camera = se3_inverse(camera_to_world)
    for i in range(frames):
        # all other cameras at once: frame i's confidence is the only one that changes meanwhile
        seen = transform_points(to_camera, points_world[i].reshape(1, -1, 3).expand(frames, -1, -1))
        x, y, z = seen.unbind(-1)
        u = (intrinsics[:, 0, 0, None] * x + intrinsics[:, 0, 2, None] * z) / z
        v = (intrinsics[:, 1, 1, None] * y + intrinsics[:, 1, 2, None] * z) / z
        column, row = u.round(), v.round()
        inside = (z > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        inside[i] = False
        index = torch.where(inside, row * width + column, 0).long()
        hides = inside & (z < far.gather(1, index)) & (cleaned[i] < cleaned.gather(1, index))
        cleaned[i] = torch.where(hides.any(0), cleaned[i].clamp_max(0), cleaned[i])
    return cleaned.view_as(confidence)
