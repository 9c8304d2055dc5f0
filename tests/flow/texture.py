"""Frames whose flow is known: a smooth random texture that moves by whole pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip


def moving_texture(height: int, width: int, *, u: int, v: int, frames: int = 3, batch: int = 1) -> Clip:
    """A clip in which everything moves by u pixels to the right and v down per frame."""
    generator = torch.Generator().manual_seed(0)
    reach = frames * max(abs(u), abs(v)) + 4
    noise = torch.rand(batch, 3, height + 2 * reach, width + 2 * reach, generator=generator)
    smooth = F.avg_pool2d(F.avg_pool2d(noise, 5, 1, 2), 5, 1, 2)
    smooth = (smooth - smooth.amin()) / (smooth.amax() - smooth.amin())
    return Clip(images=torch.stack([_view(smooth, reach, t * u, t * v, height, width) for t in range(frames)], 1))


def _view(texture: Tensor, reach: int, u: int, v: int, height: int, width: int) -> Tensor:
    return texture[..., reach - v : reach - v + height, reach - u : reach - u + width]
