"""From colours to frames: motion blur along the true flow, lens blur, exposure, sensor noise, 8 bits."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.data.procedural.parts import Look

_TAPS = (-0.5, -0.167, 0.167, 0.5)


def develop(colours: Tensor, motion: Tensor, look: Look) -> Tensor:
    """Colours and frames [N, 3, H, W] in [0, 1]; motion [N, 2, H, W]: flow per frame, pixels."""
    if look.shutter > 0.02:
        colours = _motion_blur(colours, motion * look.shutter)
    if look.blur_px > 0.1:
        colours = _lens_blur(colours, look.blur_px)
    frames = colours * torch.as_tensor(look.exposure, dtype=torch.float32, device=colours.device).view(-1, 1, 1, 1)
    if look.noise > 0:
        rng = np.random.default_rng(look.noise_seed)
        grain = rng.standard_normal(tuple(frames.shape), dtype=np.float32)
        frames = frames + torch.as_tensor(grain, device=frames.device) * look.noise
    return (frames.clamp(0, 1) * 255).round() / 255


def _motion_blur(colours: Tensor, path: Tensor) -> Tensor:
    """The mean of a few samples along each pixel's own path [N, 2, H, W]."""
    height, width = colours.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height, device=colours.device),
        torch.linspace(-1, 1, width, device=colours.device),
        indexing="ij",
    )
    grid = torch.stack([columns, rows], -1)
    scale = path.new_tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)])
    shift = path.permute(0, 2, 3, 1) * scale
    taps = [F.grid_sample(colours, grid + tap * shift, padding_mode="border", align_corners=True) for tap in _TAPS]
    return torch.stack(taps).mean(0)


def _lens_blur(colours: Tensor, deviation: float) -> Tensor:
    """A small Gaussian of this standard deviation in pixels."""
    reach = max(1, round(2.5 * deviation))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=colours.device) / deviation) ** 2)
    weights = (weights / weights.sum()).to(colours)
    padded = F.pad(colours, (reach, reach, reach, reach), mode="replicate").flatten(0, 1)[:, None]
    blurred = F.conv2d(F.conv2d(padded, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
    return blurred.view_as(colours)
