"""The dominant image motion of a frame pair: a robust eight-parameter fit to a flow field.

Model (instantaneous motion of a plane seen by a moving pinhole camera, Longuet-Higgins and Prazdny 1980), with x, y
centred and divided by half the image's longer side:
    u = a0 + a1 x + a2 y + a6 x^2 + a7 x y
    v = a3 + a4 x + a5 y + a6 x y + a7 y^2
The fit is iteratively reweighted least squares with Cauchy weights whose scale shrinks to the median residual: linear,
deterministic, and cheap enough to run on every pair of every training batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 24  # samples along the longer side: more changes the fit by less than the flow's own error
ITERATIONS = 8


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def residual_flow(flow: Tensor, *, floor: float = 0.15) -> Tensor:
    """Flow minus the dominant motion, in float32 whatever autocast says: half precision would drown small residuals.

    flow: [M, 2, H, W] in pixels. floor: the smallest scale of the robust weights, pixels.
    Returns [M, 2, H, W]: what neither a rotation, a zoom nor one plane explains.
    """
    height, width = flow.shape[-2:]
    step = max(height, width) / GRID
    rows, columns = max(2, round(height / step)), max(2, round(width / step))
    sampled = F.interpolate(flow.float(), size=(rows, columns), mode="area")
    design = _design(rows, columns, flow.device)
    parameters = _robust_fit(design, sampled.permute(0, 2, 3, 1).reshape(len(flow), -1), floor)
    full = _design(height, width, flow.device)
    dominant = (full @ parameters.T).T.reshape(len(flow), height, width, 2).permute(0, 3, 1, 2)
    return flow.float() - dominant


def _design(rows: int, columns: int, device: torch.device) -> Tensor:
    """[rows*columns*2, 8]: u and v rows of every grid cell's centre, whatever the grid's fineness."""
    longer = max(rows, columns)
    y = (torch.arange(rows, device=device) + 0.5 - rows / 2) / (longer / 2)
    x = (torch.arange(columns, device=device) + 0.5 - columns / 2) / (longer / 2)
    y, x = torch.meshgrid(y, x, indexing="ij")
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    u = torch.stack([one, x, y, zero, zero, zero, x * x, x * y], -1)
    v = torch.stack([zero, zero, zero, one, x, y, x * y, y * y], -1)
    return torch.stack([u, v], -2).reshape(-1, 8)


def _robust_fit(design: Tensor, values: Tensor, floor: float) -> Tensor:
    """Weights [M, 8] of `design` [K, 8] that fit `values` [M, K]."""
    weights = torch.ones_like(values)
    identity = 1e-4 * torch.eye(8, device=values.device)
    parameters = values.new_zeros(len(values), 8)
    for _ in range(ITERATIONS):
        normal = torch.einsum("ki,mk,kj->mij", design, weights, design) / design.shape[0]
        right = torch.einsum("ki,mk->mi", design, weights * values) / design.shape[0]
        parameters = torch.linalg.solve(
            normal + identity * normal.diagonal(dim1=1, dim2=2).mean(1)[:, None, None], right
        )
        error = (values - parameters @ design.T).view(len(values), -1, 2).norm(dim=-1)
        scale = error.median(1, keepdim=True).values.clamp_min(floor)
        weights = (1 / (1 + (error / scale) ** 2)).repeat_interleave(2, 1)
    return parameters
