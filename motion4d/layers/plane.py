"""Coordinates of a feature map's cells on the image plane, as convolutional heads read them (VGGT, Pi3X, MoGe).

The image's half diagonal has length 1: u runs over +-a / sqrt(a^2 + 1) and v over +-1 / sqrt(a^2 + 1) for an aspect
a = W / H, sampled at cell centres.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor


def plane_axes(height: int, width: int, aspect: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """u [width] and v [height] of a map's columns and rows, float64."""
    diagonal = math.hypot(aspect, 1.0)

    def axis(cells: int, half: float) -> Tensor:
        end = half / diagonal * (cells - 1) / cells
        return torch.linspace(-end, end, cells, dtype=torch.float64, device=device)

    return axis(width, aspect), axis(height, 1.0)


@lru_cache(maxsize=32)
def plane_map(height: int, width: int, aspect: float, device: torch.device) -> Tensor:
    """(u, v) as two channels [2, height, width], float32; cached."""
    with torch.inference_mode(False), torch.no_grad():
        u, v = plane_axes(height, width, aspect, device)
        return torch.stack((u.expand(height, width), v[:, None].expand(height, width))).float()


@lru_cache(maxsize=64)
def plane_waves(channels: int, height: int, width: int, aspect: float, device: torch.device) -> Tensor:
    """Sines and cosines of u and v [channels, height, width], float32; cached.

    Four blocks of channels / 4: sin(u w), cos(u w), sin(v w), cos(v w) with w_i = 100^(-i / (channels / 4)).
    """
    if channels % 4:
        raise ValueError(f"a position term needs a number of channels divisible by 4, not {channels}")
    with torch.inference_mode(False), torch.no_grad():
        quarter = channels // 4
        frequencies = 100.0 ** (-torch.arange(quarter, dtype=torch.float64, device=device) / quarter)
        u, v = (axis * frequencies[:, None] for axis in plane_axes(height, width, aspect, device))
        columns = torch.cat((u.sin(), u.cos()))[:, None].expand(-1, height, -1)
        rows = torch.cat((v.sin(), v.cos()))[:, :, None].expand(-1, -1, width)
        return torch.cat((columns, rows)).float()
