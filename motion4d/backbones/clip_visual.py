"""CLIP's residual network (RN50) with its attention pool made dense, as CRIS and SegAffordance use it.

Keys are the published ones of CLIP; `attnpool.connect` is the addition, and missing in CLIP's own file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.conv_norm import convolved

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; averages where others would stride."""

    def __init__(self, channels: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * EXPANSION)
        self.stride = stride
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels != planes * EXPANSION:
            convolution = nn.Conv2d(channels, planes * EXPANSION, 1, bias=False)
            layers = (("0", convolution), ("1", nn.BatchNorm2d(planes * EXPANSION)))
            self.downsample = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, 4 planes, H / stride, W / stride]."""
        y = convolved(x, self.conv1, self.bn1).relu_()
        y = convolved(y, self.conv2, self.bn2).relu_()
        y = convolved(self._smaller(y), self.conv3, self.bn3)
        if self.downsample is not None:
            x = convolved(self._smaller(x), self.downsample[0], self.downsample[1])
        return (y + x).relu_()

    def _smaller(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, self.stride) if self.stride > 1 else x


class DensePool(nn.Module):
    """CLIP's attention pool over every position instead of one mean token, beside a 1x1 convolution.

    side: of the grid of positions that CLIP was trained with.
    """

    def __init__(self, side: int, channels: int, heads: int, channels_out: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, channels) / channels**0.5)
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, channels_out)
        self.connect = nn.Sequential(nn.Conv2d(channels, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, h, w] -> [B, channels_out, h, w]."""
        size = (x.shape[-2], x.shape[-1])
        tokens = x.flatten(2).mT + self._positions(*size)
        projected = (layer(tokens) for layer in (self.q_proj, self.k_proj, self.v_proj))
        query, key, value = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in projected)
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        dense = self.c_proj(mixed).mT.unflatten(2, size)
        return (convolved(x, self.connect[0], self.connect[1]) + dense).relu_()

    def _positions(self, height: int, width: int) -> Tensor:
        """[h * w, channels]."""
        grid = self.positional_embedding[1:]
        side = round(len(grid) ** 0.5)
        if (height, width) == (side, side):
            return grid
        maps = grid.T.unflatten(1, (side, side))[None]
        resized = F.interpolate(maps, size=(height, width), mode="bicubic", align_corners=False)
        return resized.flatten(2)[0].T


class VisualTower(nn.Module):
    """Images -> three maps, at 1/8, 1/16 and 1/32 of their size; with a fine stem at 1/4, 1/8 and 1/16.

    layers: blocks of the four stages; width: channels of the stem; resolution: of CLIP's training images, pixels.
    """

    def __init__(
        self,
        layers: Sequence[int] = (3, 4, 6, 3),
        *,
        width: int = 64,
        channels_out: int = 1024,
        resolution: int = 224,
        fine_stem: bool = False,
    ) -> None:
        super().__init__()
        self.fine_stem = fine_stem
        self.stride = 4 if fine_stem else 8
        self.channels = (width * 2 * EXPANSION, width * 4 * EXPANSION, channels_out)
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        stages, channels = [], width
        for number, blocks in enumerate(layers):
            planes = width * 2**number
            strides = [1 if number == 0 else 2] + [1] * (blocks - 1)
            inputs = [channels] + [planes * EXPANSION] * (blocks - 1)
            stages.append(nn.Sequential(*(Bottleneck(c, planes, s) for c, s in zip(inputs, strides, strict=True))))
            channels = planes * EXPANSION
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        side = resolution // (self.stride * 4)
        self.attnpool = DensePool(side, channels, max(1, width * 32 // 64), channels_out)
        for module in self.modules():
            if isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, H, W], normalised, sides multiples of 4 strides."""
        x = convolved(images, self.conv1, self.bn1).relu_()
        x = convolved(x, self.conv2, self.bn2).relu_()
        x = convolved(x, self.conv3, self.bn3).relu_()
        if not self.fine_stem:
            x = F.avg_pool2d(x, 2)
        fine = self.layer2(self.layer1(x))
        middle = self.layer3(fine)
        return fine, middle, self.attnpool(self.layer4(middle))
