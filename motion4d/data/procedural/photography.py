"""From colours to frames: motion blur along the true flow, lens blur, exposure, sensor noise, 8 bits."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from motion4d.data.procedural.parts import Look

_DICE = 2  # uniform bytes that are added up to one grain of noise


def develop(colours: Tensor, motion: Tensor, look: Look) -> Tensor:
    """Colours and frames [N, 3, H, W] in [0, 1]; motion [N, 2, H, W]: flow per frame, pixels."""
    rng = np.random.default_rng(look.noise_seed)
    frames = []
    for colour, path, exposure in zip(colours, motion, look.exposure.tolist(), strict=True):
        if look.shutter > 0.02:
            colour = _motion_blur(colour, path * look.shutter)
        if look.blur_px > 0.1:
            colour = _lens_blur(colour, look.blur_px)
        colour = colour * exposure
        if look.noise > 0:
            colour += _grain(rng, colour) * look.noise
        frames.append(colour.clamp_(0, 1).mul_(255).round_().div_(255))
    return torch.stack(frames)


def _motion_blur(colour: Tensor, path: Tensor) -> Tensor:
    """The mean of three samples along each pixel's own path [2, H, W] during the exposure."""
    height, width = colour.shape[-2:]
    x = torch.arange(width, device=colour.device, dtype=torch.float32) - (width - 1) / 2
    y = (torch.arange(height, device=colour.device, dtype=torch.float32) - (height - 1) / 2)[:, None]
    total = colour.clone()
    for share in (-1 / 3, 1 / 3):
        columns = (x + path[0] * share) * (2 / max(width - 1, 1))
        rows = (y + path[1] * share) * (2 / max(height - 1, 1))
        grid = torch.stack([columns, rows], -1)[None]
        total += F.grid_sample(colour[None], grid, padding_mode="border", align_corners=True)[0]
    return total / 3


def _lens_blur(colour: Tensor, deviation: float) -> Tensor:
    """A small Gaussian of this standard deviation in pixels."""
    reach = max(1, round(2.5 * deviation))
    weights = [math.exp(-0.5 * (step / deviation) ** 2) for step in range(-reach, reach + 1)]
    weights = [weight / sum(weights) for weight in weights]
    height, width = colour.shape[-2:]
    padded = F.pad(colour, (reach, reach, reach, reach), mode="replicate")
    across = [weight * padded[:, :, step : step + width] for step, weight in enumerate(weights)]
    total = torch.stack(across).sum(0)
    return torch.stack([weight * total[:, step : step + height] for step, weight in enumerate(weights)]).sum(0)


def _grain(rng: Generator, like: Tensor) -> Tensor:
    """Noise of unit variance: a few dice per value are normal enough, and much cheaper."""
    dice = np.frombuffer(rng.bytes(_DICE * like.numel()), dtype=np.uint8).reshape(_DICE, *like.shape)
    total = dice.sum(0, dtype=np.float32)
    deviation = math.sqrt(_DICE * (256**2 - 1) / 12)
    return torch.as_tensor((total - _DICE * 127.5) / np.float32(deviation), device=like.device)
