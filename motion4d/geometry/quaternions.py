"""Unit quaternions (x, y, z, w) and rotation matrices, batched."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rotation_from_quaternion(quaternion: Tensor) -> Tensor:
    """Quaternions [..., 4] of any length but zero -> rotations [..., 3, 3]."""
    x, y, z, w = F.normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion_from_rotation(rotation: Tensor) -> Tensor:
    """Rotations [..., 3, 3] -> unit quaternions [..., 4] with w >= 0; exact also for half turns.

    All four products of the largest component with the others are read off the matrix; the best conditioned row wins.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotation.unbind(-2))
    rows = (
        (1 + a - e - i, b + d, c + g, h - f),
        (b + d, 1 - a + e - i, f + h, c - g),
        (c + g, f + h, 1 - a - e + i, d - b),
        (h - f, c - g, d - b, 1 + a + e + i),
    )
    products = torch.stack([torch.stack(row, -1) for row in rows], -2)
    best = products.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = products.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    chosen = torch.where(chosen[..., 3:] < 0, -chosen, chosen)
    return F.normalize(chosen, dim=-1)
