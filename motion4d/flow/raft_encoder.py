"""RAFT's image encoders: frames -> features at 1/8 resolution. Teed and Deng, "RAFT", ECCV 2020.

SEA-RAFT and GMFlow use the same with other widths, depths, strides and biases.

Attribute names are torchvision's checkpoint keys. Instance normalisation is a group normalisation of one channel per
group: the same numbers, and several times faster on the CPU in the channels_last layout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


class ConvNormRelu(nn.Sequential):
    """Convolution of odd kernel (padded to keep the size) -> norm -> ReLU: keys 0 and 1."""

    def __init__(
        self, in_channels: int, channels: int, kernel: int, *, norm: Norm, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2, bias=bias),
            norm(channels),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is projected only if the stride is not 1 or the width changes.

    bias: of the 3x3 convolutions.
    """

    def __init__(self, in_channels: int, channels: int, *, norm: Norm, stride: int, bias: bool = True) -> None:
        super().__init__()
        self.convnormrelu1 = ConvNormRelu(in_channels, channels, 3, norm=norm, stride=stride, bias=bias)
        self.convnormrelu2 = ConvNormRelu(channels, channels, 3, norm=norm, bias=bias)
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
    """Stem and three stages of blocks, 1/8 resolution with the strides of RAFT.

    widths: channels of the stem and of the three stages. block: ResidualBlock, BottleneckBlock, or one of them with
    settings (functools.partial). blocks, strides: of the three stages. stem_bias: whether its convolution has one.
    """

    def __init__(
        self,
        widths: Sequence[int],
        out_channels: int,
        *,
        block: Callable[..., nn.Module],
        norm: Norm,
        in_channels: int = 3,
        blocks: Sequence[int] = (2, 2, 2),
        strides: Sequence[int] = (1, 2, 2),
        stem_bias: bool = True,
    ) -> None:
        super().__init__()
        self.convnormrelu = ConvNormRelu(in_channels, widths[0], 7, norm=norm, stride=2, bias=stem_bias)
        stages = [
            _stage(widths[i], widths[i + 1], blocks[i], block=block, norm=norm, stride=strides[i]) for i in range(3)
        ]
        self.layer1, self.layer2, self.layer3 = stages
        self.conv = nn.Conv2d(widths[3], out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """images: [M, in_channels, H, W], multiples of 8, normalised -> [M, out_channels, H/8, W/8]."""
        return self.conv(self.layer3(self.layer2(self.layer1(self.convnormrelu(images)))))


def instance_norm(channels: int) -> nn.Module:
    """Instance normalisation without parameters."""
    return nn.GroupNorm(channels, channels, affine=False)


def _shortcut(in_channels: int, channels: int, *, norm: Norm, stride: int) -> nn.Module:
    if stride == 1 and in_channels == channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride=stride), norm(channels))


def _stage(
    in_channels: int, channels: int, blocks: int, *, block: Callable[..., nn.Module], norm: Norm, stride: int
) -> nn.Module:
    first = block(in_channels, channels, norm=norm, stride=stride)
    return nn.Sequential(first, *(block(channels, channels, norm=norm, stride=1) for _ in range(blocks - 1)))
