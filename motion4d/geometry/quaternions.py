"""Rotations as quaternions (x, y, z, w): scalar last. Batched over leading axes."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_from_quaternion(quaternion: Tensor) -> Tensor:
    """Quaternions [..., 4] of any length but zero -> rotations [..., 3, 3]; q and -q are the same rotation."""
    i, j, k, r = quaternion.unbind(-1)
    s = 2.0 / quaternion.square().sum(-1)
    rows = (
        (1 - s * (j * j + k * k), s * (i * j - k * r), s * (i * k + j * r)),
        (s * (i * j + k * r), 1 - s * (i * i + k * k), s * (j * k - i * r)),
        (s * (i * k - j * r), s * (j * k + i * r), 1 - s * (i * i + j * j)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_from_rotation(rotation: Tensor) -> Tensor:
    """Rotations [..., 3, 3] -> unit quaternions [..., 4] with w >= 0.

    Of the four ways to divide, the one with the largest divisor is taken, so nothing is lost near half turns.
    """
    m00, m11, m22 = rotation[..., 0, 0], rotation[..., 1, 1], rotation[..., 2, 2]
    squares = torch.stack((1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22), -1)
    doubled = _sqrt_of_positive(squares)  # twice |w|, |x|, |y|, |z|
    symmetric, skew = rotation + rotation.transpose(-1, -2), rotation - rotation.transpose(-1, -2)
    x, y, z = skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]
    xy, xz, yz = symmetric[..., 0, 1], symmetric[..., 0, 2], symmetric[..., 1, 2]
    w2, x2, y2, z2 = doubled.square().unbind(-1)
    candidates = ((x, y, z, w2), (x2, xy, xz, x), (xy, y2, yz, y), (xz, yz, z2, z))
    stacked = torch.stack([torch.stack(candidate, -1) for candidate in candidates], -2)
    stacked = stacked / (2 * doubled.clamp(min=0.1)).unsqueeze(-1)
    best = doubled.argmax(-1)[..., None, None].expand(*doubled.shape[:-1], 1, 4)
    quaternion = stacked.gather(-2, best).squeeze(-2)
    return torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def _sqrt_of_positive(values: Tensor) -> Tensor:
    """sqrt(max(0, x)), with gradient 0 where x <= 0."""
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1.0).sqrt(), 0.0)
