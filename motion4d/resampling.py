"""Resizing and cutting pictures and maps; what motion4d.framing is made of.

Images are resized as Pillow does, but in float and on any device: separable filters, widened when shrinking.
Pixel convention: motion4d.clip (resizing by s maps u to (u + 0.5) s - 0.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Filter:
    """weight: of a source pixel at a distance [...] in target pixels (at least source pixels); 0 from `radius` on."""

    radius: float
    weight: Callable[[Tensor], Tensor]


def _lanczos_weight(distance: Tensor) -> Tensor:
    return torch.sinc(distance) * torch.sinc(distance / 3)


def _bicubic_weight(distance: Tensor) -> Tensor:
    """Keys 1981 with a = -1/2."""
    x = distance.abs()
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, far)


def _bilinear_weight(distance: Tensor) -> Tensor:
    return (1 - distance.abs()).clamp_min(0)


LANCZOS = Filter(3, _lanczos_weight)
BICUBIC = Filter(2, _bicubic_weight)
BILINEAR = Filter(1, _bilinear_weight)


def filtered_resize(images: Tensor, size: tuple[int, int], kind: Filter) -> Tensor:
    """[..., H, W] in [0, 1] -> [..., h, w].

    Overshoot is cut after each axis, as Pillow's 8-bit passes do.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    rows = _matrix(images.shape[-2], size[0], kind).to(images)
    columns = _matrix(images.shape[-1], size[1], kind).to(images)
    return (rows @ (images @ columns.T).clamp(0, 1)).clamp(0, 1)


def resize_maps(maps: Tensor, size: tuple[int, int], *, mode: str) -> Tensor:
    """Resize the last two axes; any leading axes and dtypes."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    floating = flat if flat.is_floating_point() else flat.float()
    if mode == "bilinear":
        resized = F.interpolate(floating, size=size, mode="bilinear", align_corners=False, antialias=False)
    else:
        resized = F.interpolate(floating, size=size, mode=mode)
    return resized.to(maps.dtype).reshape(*maps.shape[:-2], *size)


def window(maps: Tensor, top: int, left: int, size: tuple[int, int], around: float | None) -> Tensor:
    """`size` rows and columns of maps [..., H, W] from (top, left) on; outside there is `around` (None: the edge)."""
    height, width = maps.shape[-2:]
    bottom, right = top + size[0] - height, left + size[1] - width
    if not (top or left or bottom or right):
        return maps
    inside = maps[..., max(top, 0) : height + min(bottom, 0), max(left, 0) : width + min(right, 0)]
    missing = [max(0, -left), max(0, right), max(0, -top), max(0, bottom)]
    if around is not None:
        return F.pad(inside, missing, value=around)
    for axis, before, after in ((-1, *missing[:2]), (-2, *missing[2:])):
        if before or after:
            edges = inside.narrow(axis, 0, 1), inside.narrow(axis, -1, 1)
            first, last = (
                edge.expand(*inside.shape[:axis], count, *inside.shape[axis % inside.ndim + 1 :])
                for edge, count in zip(edges, (before, after), strict=True)
            )
            inside = torch.cat((first, inside, last), axis)
    return inside


@lru_cache(maxsize=32)
def _matrix(source: int, target: int, kind: Filter) -> Tensor:
    """[target, source] weights, rows sum to 1."""
    scale = source / target
    stretch = max(scale, 1.0)
    centre = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    offset = (torch.arange(source, dtype=torch.float64) + 0.5)[None] - centre[:, None]
    weights = kind.weight(offset / stretch) * (offset.abs() < kind.radius * stretch)
    return (weights / weights.sum(1, keepdim=True)).float()
