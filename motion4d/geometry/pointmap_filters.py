"""Which pixels of a pointmap to trust: depth edges, normals, normal edges, and Pi3's export filter made of them.

Pointmaps are [..., H, W, 3] in camera coordinates (motion4d.clip), masks [..., H, W] bool. Window sizes are odd.
The definitions are those of the released Pi3 code (which has them from MoGe, Wang et al. 2025).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def depth_edge(
    depth: Tensor,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    kernel_size: int = 3,
    mask: Tensor | None = None,
) -> Tensor:
    """Pixels [..., H, W] whose window holds a depth range above `atol`, or above `rtol` times their own depth.

    Pixels outside the image or the mask are left out of the range.
    """
    near, far = -depth, depth
    if mask is not None:
        near, far = near.masked_fill(~mask, -torch.inf), far.masked_fill(~mask, -torch.inf)
    extent = _window_max(far, kernel_size) + _window_max(near, kernel_size)
    edge = torch.zeros_like(depth, dtype=torch.bool)
    if atol is not None:
        edge |= extent > atol
    if rtol is not None:
        edge |= torch.nan_to_num(extent / depth) > rtol
    return edge


def points_to_normals(points: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Normals [..., H, W, 3] and where they exist [..., H, W], from the four neighbours of each pixel."""
    valid = points.isfinite().all(-1) if mask is None else mask & points.isfinite().all(-1)
    points = torch.where(valid.unsqueeze(-1), points, 0)
    around = [_neighbour(points, *step) - points for step in _AROUND]
    exists = [_neighbour(valid.unsqueeze(-1), *step).squeeze(-1) & valid for step in _AROUND]
    total = torch.zeros_like(points)
    known = torch.zeros_like(valid)
    for corner in range(4):
        following = (corner + 1) % 4
        both = exists[corner] & exists[following]
        normal = F.normalize(torch.linalg.cross(around[corner], around[following]), dim=-1, eps=1e-12)
        total += torch.where(both.unsqueeze(-1), normal, 0)
        known |= both
    return F.normalize(total, dim=-1, eps=1e-12), known


def normal_edge(
    normals: Tensor, *, tolerance_degrees: float = 5.0, kernel_size: int = 3, mask: Tensor | None = None
) -> Tensor:
    """Pixels [..., H, W] near a bend: normals [..., H, W, 3] that differ by more than the tolerance in a window.

    The largest angle of each window is spread over one more window; neighbours outside `mask` count as no angle.
    """
    height, width = normals.shape[-3:-1]
    mask = torch.ones_like(normals[..., 0], dtype=torch.bool) if mask is None else mask
    padded, inside = _repeat_border(normals, kernel_size // 2), _repeat_border(mask.unsqueeze(-1), kernel_size // 2)
    largest = torch.zeros_like(normals[..., 0])
    for row in range(kernel_size):
        for column in range(kernel_size):
            window = (..., slice(row, row + height), slice(column, column + width), slice(None))
            angle = (normals * padded[window]).sum(-1).clamp(-1, 1).acos()
            largest = torch.maximum(largest, torch.where(inside[window].squeeze(-1), angle, 0))
    return (_window_max(largest, kernel_size) > math.radians(tolerance_degrees)) & mask


def depth_normal_edge(
    points: Tensor, *, rtol: float = 0.03, tolerance_degrees: float = 5.0, mask: Tensor | None = None
) -> Tensor:
    """Pixels [..., H, W] that lie on a depth edge and on a bend at once: the floating points between two surfaces."""
    depth = points[..., 2]
    valid = points.isfinite().all(-1) & (depth > 0)
    valid = valid if mask is None else valid & mask
    normals, known = points_to_normals(points, valid)
    bend = normal_edge(normals, tolerance_degrees=tolerance_degrees, mask=known)
    return depth_edge(depth, rtol=rtol, mask=valid) & valid & bend


def export_mask(
    points_camera: Tensor, confidence: Tensor, *, min_confidence: float = 0.1, rtol: float = 0.03
) -> Tensor:
    """Pixels [..., H, W] that Pi3 writes to a point cloud: sure enough, and not floating between two surfaces.

    confidence: [..., H, W], the sigmoid of Pi3's logit.
    """
    sure = confidence > min_confidence
    return sure & ~depth_normal_edge(points_camera, rtol=rtol, mask=sure)


_AROUND = ((-1, 0), (0, -1), (1, 0), (0, 1))  # up, left, down, right as (row, column)


def _window_max(maps: Tensor, kernel_size: int) -> Tensor:
    """Maximum over a centred window [..., H, W]; outside the image counts as -inf."""
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    return F.max_pool2d(flat, kernel_size, stride=1, padding=kernel_size // 2).view(maps.shape)


def _neighbour(maps: Tensor, row: int, column: int) -> Tensor:
    """maps[..., i + row, j + column, :] at (i, j); zero outside the image."""
    height, width = maps.shape[-3:-1]
    padded = F.pad(maps, (0, 0, 1, 1, 1, 1))
    return padded[..., 1 + row : 1 + row + height, 1 + column : 1 + column + width, :]


def _repeat_border(maps: Tensor, border: int) -> Tensor:
    """[..., H, W, C] with its border pixels repeated `border` times on every side."""
    rows = torch.arange(-border, maps.shape[-3] + border, device=maps.device).clamp(0, maps.shape[-3] - 1)
    columns = torch.arange(-border, maps.shape[-2] + border, device=maps.device).clamp(0, maps.shape[-2] - 1)
    return maps.index_select(-3, rows).index_select(-2, columns)
