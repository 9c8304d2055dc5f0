"""How far points of the image are from a curve of space, as a camera sees it."""

from __future__ import annotations

from torch import Tensor

from motion4d.geometry.lines import dot
from motion4d.geometry.unit_images import NEAR, project_in_front

HIDDEN = 1e4  # the distance of what is not seen
LOWEST, HIGHEST = -4.0, 5.0  # coordinates of the unit square beyond count as these


def seen_distance(points: Tensor, curve: Tensor, intrinsics: Tensor) -> Tensor:
    """Distance [B, P] of points [B, P, 2] to the polyline through curve [B, S, 3], projected.

    intrinsics [B, 3, 3] of the unit square, whose units these are. Segments with an end behind the camera are 1e4 away.
    """
    seen = project_in_front(curve, intrinsics).clamp(LOWEST, HIGHEST)
    front = curve[..., 2] > NEAR
    start, edge = seen[:, None, :-1], seen.diff(dim=1).unsqueeze(1)
    offset = points.unsqueeze(2) - start
    along = (dot(offset, edge) / dot(edge, edge).clamp(min=1e-12)).clamp(0, 1)
    distance = (offset - along.unsqueeze(-1) * edge).norm(dim=-1)
    hidden = ~(front[:, None, 1:] & front[:, None, :-1])
    return distance.masked_fill(hidden, HIDDEN).amin(dim=-1)
