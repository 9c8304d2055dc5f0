"""A convolutional encoder of single images: patch tokens that learn from few pictures (after Xiao et al. 2021, "Early
Convolutions Help Transformers See Better").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Normalised images [M, inputs, H, W] -> patch tokens [M, h*w, channels[-1]]; each stage halves height and width.

    So a patch is 2^(number of stages) pixels. channels: of the stages, from the second on multiples of 8. inputs: 3,
    and as many more as the network that it belongs to appends to its images.
    """

    def __init__(self, channels: Sequence[int] = (24, 48, 96, 128), *, inputs: int = 3) -> None:
        super().__init__()
        self.patch_size = 2 ** len(channels)
        # pairs of convolutions on half the pixels would cost more than all later stages
        self.stages = nn.ModuleList([nn.Conv2d(inputs, channels[0], 3, stride=2, padding=1)])
        self.stages.extend(_Stage(width, out) for width, out in zip(channels[:-1], channels[1:], strict=True))
        self.norm = nn.LayerNorm(channels[-1], eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        for stage in self.stages:
            images = stage(images)
        return self.norm(images.flatten(2).transpose(1, 2))


class _Stage(nn.Module):
    """A strided convolution, then a residual pair of convolutions; 8 groups are normalised before a nonlinearity."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, out, 3, stride=2, padding=1)
        self.norm1 = nn.GroupNorm(8, out)
        self.conv1 = nn.Conv2d(out, out, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """[M, width, H, W] -> [M, out, H / 2, W / 2]."""
        maps = self.down(F.gelu(maps))
        inner = self.conv1(F.gelu(self.norm1(maps)))
        return maps + self.conv2(F.gelu(self.norm2(inner)))
