"""Rotary position embedding on a 2D patch grid (Pi3, VGGT; rotary embedding: Su et al. 2021).

Half of the channels of an attention head turn with the row, the other half with the column. Within a half of D
channels, channel i < D/2 is paired with channel i + D/2 and turns by position * base^(-2i/D). Special tokens sit at
(0, 0), which is the identity; the patch at row r, column c sits at (r + 1, c + 1).

Tables are float32, built once per grid and device without asking the device anything, and shared by all layers.
Deviation from the released Pi3 code: there the angles are rounded to the compute dtype before cos and sin; here only
cos and sin are. In float32 there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rotary:
    """The turns of L positions: cosines and signed sines, each [..., L, head_dim] (row half, then column half).

    Each half holds its D/2 turns twice; the sines of the first time carry a minus.
    """

    cos: Tensor
    sin: Tensor

    def rotate(self, tokens: Tensor) -> Tensor:
        """Turn queries or keys [B, heads, N * L, head_dim]; the L positions repeat for each of N frames."""
        cos, sin = self.cos.to(tokens.dtype), self.sin.to(tokens.dtype)
        length = cos.shape[-2]
        frames = tokens if tokens.shape[-2] == length else tokens.unflatten(-2, (-1, length))
        partners = frames.unflatten(-1, (2, 2, -1)).roll(1, dims=-2).flatten(-3)
        return torch.addcmul(frames * cos, partners, sin).view(tokens.shape)


def rotary_at(positions: Tensor, head_dim: int, base: float) -> Rotary:
    """The turns of integer positions [..., L, 2] (row, column) for heads of `head_dim` channels."""
    if head_dim % 4:
        raise ValueError(f"2D rotary embedding needs a head dimension divisible by 4, not {head_dim}")
    quarter = head_dim // 4
    exponents = torch.arange(quarter, device=positions.device, dtype=torch.float32) / quarter
    angles = positions.float().unsqueeze(-1) * base**-exponents
    cos, sin = angles.cos(), angles.sin()
    return Rotary(torch.stack((cos, cos), -2).flatten(-3), torch.stack((-sin, sin), -2).flatten(-3))


def grid_positions(height: int, width: int, special: int, device: torch.device) -> Tensor:
    """Integer (row, column) [special + height * width, 2] of one frame's tokens, special tokens first."""
    rows = torch.arange(1, height + 1, device=device).repeat_interleave(width)
    columns = torch.arange(1, width + 1, device=device).repeat(height)
    patches = torch.stack((rows, columns), -1)
    return torch.cat((patches.new_zeros(special, 2), patches))


@lru_cache(maxsize=32)
def grid_rotary(height: int, width: int, special: int, head_dim: int, base: float, device: torch.device) -> Rotary:
    """The turns of one frame's tokens [special + height * width], special tokens first; cached."""
    with torch.inference_mode(False), torch.no_grad():  # a cached inference tensor could never be trained through
        return rotary_at(grid_positions(height, width, special, device), head_dim, base)
