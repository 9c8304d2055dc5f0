"""Patch tokens to maps by convolutions (Pi3X, after MoGe): three times doubled, then resized to the image.

Every stage also sees where on the image plane its cells are. Attribute names are the published keys.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.plane import plane_map

OUTPUT_WIDTH = 32  # channels before the last layers
GROUP = 32  # channels per group of the inner norm


class ConvHead(nn.Module):
    """Tokens [M, h*w, dim] -> maps [M, sum(outputs), h * patch_size, w * patch_size].

    outputs: channels of each of the last layers, which share everything before; widths: channels of the stages.
    """

    def __init__(
        self, dim: int, patch_size: int, outputs: Sequence[int], *, widths: Sequence[int] = (256, 128, 64)
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.upsample_blocks = nn.ModuleList(
            nn.Sequential(
                nn.Sequential(nn.ConvTranspose2d(before + 2, after, 2, stride=2), _conv3x3(after, after)),
                _Residual(after),
                _Residual(after),
            )
            for before, after in zip((dim, *widths[:-1]), widths, strict=True)
        )
        self.output_block = nn.ModuleList(
            nn.Sequential(_conv3x3(widths[-1] + 2, OUTPUT_WIDTH), nn.ReLU(), nn.Conv2d(OUTPUT_WIDTH, channels, 1))
            for channels in outputs
        )

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w) patches; no special tokens among `tokens`."""
        size = (grid[0] * self.patch_size, grid[1] * self.patch_size)
        aspect = size[1] / size[0]
        maps = tokens.transpose(1, 2).unflatten(2, grid)
        for block in self.upsample_blocks:
            maps = block(_placed(maps, aspect))
        maps = _placed(F.interpolate(maps, size=size, mode="bilinear", align_corners=False), aspect)
        return torch.cat([block(maps) for block in self.output_block], dim=1)


class _Residual(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x)))))), twice as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 2 * width
        self.layers = nn.Sequential(
            nn.GroupNorm(1, width),
            nn.ReLU(),
            _conv3x3(width, hidden),
            nn.GroupNorm(max(1, hidden // GROUP), hidden),
            nn.ReLU(),
            _conv3x3(hidden, width),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[M, width, h, w] -> the same shape."""
        return maps + self.layers(maps)


def _conv3x3(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate")


def _placed(maps: Tensor, aspect: float) -> Tensor:
    """Two more channels: where on the image plane each cell is."""
    height, width = maps.shape[-2:]
    plane = plane_map(height, width, aspect, maps.device).to(maps.dtype)
    return torch.cat((maps, plane.expand(len(maps), -1, -1, -1)), dim=1)
