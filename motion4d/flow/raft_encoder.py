"""RAFT's two image encoders: frames -> features at 1/8 resolution. Teed and Deng, "RAFT", ECCV 2020.

Attribute names are torchvision's checkpoint keys. Instance normalisation is a group normalisation of one channel per
group: the same numbers, and several times faster on the CPU in the channels_last layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


class ConvNormRelu(nn.Sequential):
    """Convolution of odd kernel (padded to keep the size) -> norm -> ReLU: keys 0 and 1."""

    def __init__(self, in_channels: int, channels: int, kernel: int, *, norm: Norm, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2),
            norm(channels),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is projected only if the stride is not 1."""

    def __init__(self, in_channels: int, channels: int, *, norm: Norm, stride: int) -> None:
        super().__init__()
        self.convnormrelu1 = ConvNormRelu(in_channels, channels, 3, norm=norm, stride=stride)
        self.convnormrelu2 = ConvNormRelu(channels, channels, 3, norm=norm)
        self.downsample = _shortcut(in_channels, channels, norm=norm, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """[M, in, H, W] -> [M, out, H / stride, W / stride]."""
        return (self.downsample(x) + self.convnormrelu2(self.convnormrelu1(x))).relu_()


class BottleneckBlock(nn.Module):
    """1x1, 3x3 and 1x1 convolutions through a quarter of the channels, and a shortcut as in ResidualBlock."""

    def __init__(self, in_channels: int, channels: int, *, norm: Norm, stride: int) -> None:
        super().__init__()
        self.convnormrelu1 = ConvNormRelu(in_channels, channels // 4, 1, norm=norm)
        self.convnormrelu2 = ConvNormRelu(channels // 4, channels // 4, 3, norm=norm, stride=stride)
        self.convnormrelu3 = ConvNormRelu(channels // 4, channels, 1, norm=norm)
        self.downsample = _shortcut(in_channels, channels, norm=norm, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """[M, in, H, W] -> [M, out, H / stride, W / stride]."""
        return (self.downsample(x) + self.convnormrelu3(self.convnormrelu2(self.convnormrelu1(x)))).relu_()


class Encoder(nn.Module):
    """Stem and three stages of two blocks each, 1/8 resolution.

    widths: channels of the stem and of the three stages. block: ResidualBlock or BottleneckBlock.
    """

    def __init__(
        self, widths: Sequence[int], out_channels: int, *, block: Callable[..., nn.Module], norm: Norm
    ) -> None:
        super().__init__()
        stem, *stages = widths
        self.convnormrelu = ConvNormRelu(3, stem, 7, norm=norm, stride=2)
        self.layer1 = _stage(stem, stages[0], block=block, norm=norm, stride=1)
        self.layer2 = _stage(stages[0], stages[1], block=block, norm=norm, stride=2)
        self.layer3 = _stage(stages[1], stages[2], block=block, norm=norm, stride=2)
        self.conv = nn.Conv2d(stages[2], out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """images: [M, 3, H, W] in [-1, 1], H and W multiples of 8 -> [M, out_channels, H/8, W/8]."""
        return self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(images)))))


def instance_norm(channels: int) -> nn.Module:
    """Instance normalisation without parameters."""
    return nn.GroupNorm(channels, channels, affine=False)


def _shortcut(in_channels: int, channels: int, *, norm: Norm, stride: int) -> nn.Module:
    if stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride=stride), norm(channels))


def _stage(in_channels: int, channels: int, *, block: Callable[..., nn.Module], norm: Norm, stride: int) -> nn.Module:
    return nn.Sequential(
        block(in_channels, channels, norm=norm, stride=stride), block(channels, channels, norm=norm, stride=1)
    )
