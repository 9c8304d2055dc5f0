"""Convolution, batch norm, ReLU: in training one after the other; otherwise the norm moves into the filter.

The filter takes the norm's factor anew in every call, so there is nothing that could become stale. Wide 3x3 filters
are minimal ones where that is faster (motion4d.layers.winograd).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.winograd import same_convolution


class ConvNorm(nn.Sequential):
    """[B, in, H, W] -> [B, out, H, W]; keys 0 (convolution without bias) and 1 (norm), as published."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        convolution = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """The three in one go."""
        return convolved(x, self[0], self[1]).relu_()


def convolved(x: Tensor, convolution: nn.Module, norm: nn.Module) -> Tensor:
    """norm(convolution(x)). The convolution has no bias."""
    if norm.training or torch.is_grad_enabled():
        return norm(convolution(x))
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise TypeError(f"a convolution and its batch norm, not {type(convolution).__name__}, {type(norm).__name__}")
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without running statistics cannot move into the filter")
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    weight, bias = convolution.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    if convolution.stride == (1, 1) and convolution.kernel_size == (3, 3):
        return same_convolution(weight, bias)(x)
    return F.conv2d(x, weight, bias, convolution.stride, convolution.padding)
