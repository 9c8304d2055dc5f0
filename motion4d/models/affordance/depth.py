"""Maps of a depth image, beside those of the image itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.conv_norm import ConvNorm


class DepthEncoder(nn.Module):
    """Depth [B, 1, H, W] -> [B, channels[0], H / stride, W / stride] and [B, channels[1], half of that].

    Coarser pixels take the farthest depth of theirs, so that holes (0) vanish.
    """

    def __init__(self, stride: int, channels: Sequence[int] = (128, 256)) -> None:
        super().__init__()
        fine, coarse = self.channels = (channels[0], channels[1])
        self.stride = stride
        self.conv1 = nn.Sequential(ConvNorm(1, fine // 2), ConvNorm(fine // 2, fine))
        self.conv2 = nn.Sequential(nn.MaxPool2d(2, 2), ConvNorm(fine, fine), ConvNorm(fine, coarse))

    def forward(self, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Any unit that the weights are used to."""
        fine = self.conv1(F.max_pool2d(depth, self.stride))
        return fine, self.conv2(fine)
