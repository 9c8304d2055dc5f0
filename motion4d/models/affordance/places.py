"""Heads that say where things are in space: points at once, or the depth of a pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NEAREST = 0.1  # metres


class Point(nn.Module):
    """features -> a point [B, 3] in the camera's frame, metres."""

    def __init__(self, width: int, *, hidden: int = 256) -> None:
        super().__init__()
        layers = (nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, hidden), nn.ReLU(inplace=True))
        self.mlp = nn.Sequential(*layers, nn.Linear(hidden, 3))

    def forward(self, features: Tensor) -> Tensor:
        """features [B, width]."""
        return self.mlp(features).float()


class PixelDepth(nn.Module):
    """condition, and what the map holds at the pixel (width `local`, 0: it is not asked) -> depth [B], metres."""

    def __init__(self, condition: int, local: int = 0, *, hidden: int = 256) -> None:
        super().__init__()
        self.reads_map = local > 0
        self.mlp = nn.Sequential(nn.Linear(condition + local, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        """features [B, condition + local]."""
        return F.softplus(self.mlp(features)[:, 0].float()) + _NEAREST


def lifted(points: Tensor, depth: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """Points (x / W, y / H) [B, 2] at depth [B] of an image of `size` (H, W) -> [B, 3]."""
    height, width = size
    scale = intrinsics.new_tensor([width, height, 1.0])
    normalised = intrinsics / scale[:, None]
    rays = torch.linalg.solve(normalised, F.pad(points, (0, 1), value=1.0)[..., None].to(normalised.dtype))
    return rays[..., 0] * depth[:, None]
