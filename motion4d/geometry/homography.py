"""RANSAC homographies of flow fields: the plane or rotation that explains most of an image's motion.

Fischler and Bolles, "Random Sample Consensus", 1981, on the four-point linear solution for h33 = 1, all pairs and all
hypotheses at once; the best one is refitted to its inliers. Deterministic: the samples come from a seeded generator.
Pixel and flow conventions: see motion4d.clip.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GRID = 4  # pixels between the points that vote
_REFITS = 3


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def homography_residual(
    flow: Tensor, *, inlier_px: float = 1.0, hypotheses: int = 200, generator: torch.Generator | None = None
) -> Tensor:
    """Flow minus what the best homography makes of each pixel: flow [M, 2, H, W] -> [M, 2, H, W], pixels.

    generator: a CPU generator for the samples; None is one seeded with 0.
    """
    generator = generator or torch.Generator().manual_seed(0)
    _, _, height, width = flow.shape
    if len(flow) == 0:
        return flow
    scale = max(height, width) / 2
    grid = _centred_grid(height, width, flow) / scale
    points = grid[::_GRID, ::_GRID].reshape(-1, 2)
    targets = points + flow.permute(0, 2, 3, 1)[:, ::_GRID, ::_GRID].reshape(len(flow), -1, 2) / scale
    best = fit_homography(points, targets, inlier=inlier_px / scale, hypotheses=hypotheses, generator=generator)
    moved = transfer(best, grid.reshape(-1, 2)).view(len(flow), height, width, 2)
    return flow - ((moved - grid) * scale).permute(0, 3, 1, 2)


def fit_homography(
    points: Tensor, targets: Tensor, *, inlier: float, hypotheses: int, generator: torch.Generator
) -> Tensor:
    """Homographies [M, 3, 3] that take points [P, 2] to most of targets [M, P, 2] within `inlier` (same units)."""
    picks = torch.randint(len(points), (hypotheses, 4), generator=generator).to(points.device)
    candidates = _four_point(points[picks].expand(len(targets), -1, -1, -1), targets[:, picks])
    votes = (_distance(candidates, points, targets[:, None]) < inlier).sum(-1)
    best = candidates[torch.arange(len(targets), device=points.device), votes.argmax(1)]
    for _ in range(_REFITS):
        best = _least_squares(points, targets, _distance(best, points, targets) < inlier, best)
    return best


def transfer(homography: Tensor, points: Tensor) -> Tensor:
    """Homographies [..., 3, 3] on points [P, 2] -> [..., P, 2]; points near the horizon stay finite."""
    moved = points @ homography[..., :2].mT + homography[..., None, :, 2]
    depth = moved[..., 2:]
    return moved[..., :2] / torch.where(depth.abs() < 1e-6, 1e-6, depth)


def _centred_grid(height: int, width: int, like: Tensor) -> Tensor:
    """[H, W, 2] x, y of pixel centres from the image's centre."""
    y = torch.arange(height, device=like.device, dtype=like.dtype) - (height - 1) / 2
    x = torch.arange(width, device=like.device, dtype=like.dtype) - (width - 1) / 2
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)


def _rows(points: Tensor, targets: Tensor) -> Tensor:
    """[..., P, 2, 8] the two linear equations of each match, for h33 = 1; their right sides are the targets."""
    x, y = points.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u, v = targets.unbind(-1)
    across = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    down = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    return torch.stack([across, down], -2)


def _four_point(points: Tensor, targets: Tensor) -> Tensor:
    """Homographies [..., 3, 3] through four matches [..., 4, 2]; degenerate samples give harmless nonsense."""
    system = _rows(points, targets).flatten(-3, -2)
    system = system + 1e-6 * torch.eye(8, device=points.device, dtype=points.dtype)
    solution, _ = torch.linalg.solve_ex(system, targets.flatten(-2)[..., None])
    return _matrix(solution[..., 0].nan_to_num(0.0))


def _least_squares(points: Tensor, targets: Tensor, inliers: Tensor, fallback: Tensor) -> Tensor:
    """Refit [M, 3, 3] to the matches marked in inliers [M, P]; `fallback` where there are too few."""
    rows = _rows(points.expand_as(targets), targets)
    weighted = rows * inliers[..., None, None]
    normal = torch.einsum("mpij,mpik->mjk", weighted, rows) + 1e-7 * torch.eye(8, device=rows.device, dtype=rows.dtype)
    right = torch.einsum("mpij,mpi->mj", weighted, targets)
    solution, info = torch.linalg.solve_ex(normal, right[..., None])
    good = (inliers.sum(1) >= 8) & (info == 0)
    return torch.where(good[:, None, None], _matrix(solution[..., 0]), fallback)


def _matrix(parameters: Tensor) -> Tensor:
    """[..., 8] -> [..., 3, 3]."""
    return torch.cat([parameters, torch.ones_like(parameters[..., :1])], -1).unflatten(-1, (3, 3))


def _distance(homography: Tensor, points: Tensor, targets: Tensor) -> Tensor:
    """[..., P] how far each point lands from its target."""
    return (transfer(homography, points) - targets).norm(dim=-1)
