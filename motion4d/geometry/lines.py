"""Points and lines of space: a line is a point `origin` and a direction of unit length, all [..., 3]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def unit(direction: Tensor, *, shortest: float = 1e-8) -> Tensor:
    """Directions [..., 3] at length 1; one shorter than `shortest` is divided by that."""
    return F.normalize(direction, dim=-1, eps=shortest)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """[..., K] and [..., K] -> [...]; no matrix product, so that autocast never rounds coordinates."""
    return (a * b).sum(dim=-1)


def cross(a: Tensor, b: Tensor) -> Tensor:
    """[..., 3] x [..., 3], with broadcasting."""
    return torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=-1)


def across(offset: Tensor, direction: Tensor) -> Tensor:
    """The part of an offset [..., 3] that is perpendicular to a unit direction."""
    return offset - dot(offset, direction).unsqueeze(-1) * direction


def perpendicular_foot(point: Tensor, origin: Tensor, direction: Tensor) -> Tensor:
    """The point of the line that is nearest to `point`: [..., 3]."""
    return origin + dot(point - origin, direction).unsqueeze(-1) * direction


def line_distance(point: Tensor, origin: Tensor, direction: Tensor) -> Tensor:
    """Distance of a point to the line: [...]."""
    return across(point - origin, direction).norm(dim=-1)
