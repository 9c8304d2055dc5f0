"""Maps of logits by filters that the sentence makes, and the point that such a map means."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.conv_norm import ConvNorm

TAPS = 9  # of a 3x3 filter


class Projector(nn.Module):
    """A map [B, dim, h, w] and a sentence -> logits [B, maps, 4h, 4w].

    The last 1x1 convolution (`vis.4`) is folded into the filters of the sentence, which keeps the numbers up to
    rounding: its weights multiply theirs; its bias is a map of ones seen through them, which differs at the border.
    """

    def __init__(self, dim: int, sentence: int, maps: int, *, dropout: float = 0.25) -> None:
        super().__init__()
        self.maps = maps
        self.channels = dim // 2
        self.vis: Any = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            ConvNorm(dim, dim),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            ConvNorm(dim, self.channels),
            nn.Conv2d(self.channels, self.channels, 1),
        )
        self.txt_fc = nn.Sequential(nn.Linear(sentence, maps * (self.channels * TAPS + 1)), nn.Dropout(dropout))

    def forward(self, maps: Tensor, sentence: Tensor) -> Tensor:
        """The logits, in float32."""
        x = self.vis[:4](maps)
        size = (x.shape[-2], x.shape[-1])
        filters, bias = self.filters(sentence)
        with torch.autocast(x.device.type, enabled=False):
            mixing, constant = self.vis[4].weight.flatten(1).float(), self.vis[4].bias.float()
            folded = filters.mT @ mixing  # [B, maps * TAPS, channels]
            border = (filters.mT @ constant)[..., None].expand(-1, -1, size[0] * size[1])
        taps = folded @ x.flatten(2)  # a product for every tap, before they are shifted over each other
        logits = _shifted_sum(taps.float() + border, size)
        return logits + bias[:, :, None, None]

    def filters(self, sentence: Tensor) -> tuple[Tensor, Tensor]:
        """The filters [B, channels, maps * TAPS] and biases [B, maps] of a sentence, in float32."""
        made = self.txt_fc(sentence).float()
        filters, bias = made[:, : -self.maps], made[:, -self.maps :]
        return filters.unflatten(1, (self.maps, self.channels, TAPS)).transpose(1, 2).flatten(2), bias


def _shifted_sum(taps: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, maps * 9, h * w], what each pixel is worth to its neighbours by tap -> [B, maps, h, w]."""
    turned = taps.unflatten(1, (-1, TAPS)).flip(2).flatten(1, 2)  # a filter looks where a fold puts
    return F.fold(turned, size, 3, padding=1)


def soft_argmax(logits: Tensor) -> Tensor:
    """The mean position under softmax(logits) of [B, h, w], as (x / w, y / h) [B, 2]; the published rule."""
    height, width = logits.shape[-2:]
    weights = logits.float().flatten(1).softmax(1).view_as(logits)
    columns = torch.arange(width, device=logits.device) / width
    rows = torch.arange(height, device=logits.device) / height
    return torch.stack((weights.sum(1) @ columns, weights.sum(2) @ rows), 1)


def sample(maps: Tensor, points: Tensor) -> Tensor:
    """Maps [B, C, h, w] at points [B, 2] in [0, 1], bilinear -> [B, C]; by half pixels, zero outside."""
    grid = (2 * points - 1)[:, None, None].to(maps.dtype)
    return F.grid_sample(maps, grid, align_corners=False)[:, :, 0, 0]
