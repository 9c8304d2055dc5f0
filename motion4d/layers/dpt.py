"""Dense prediction from four layers of a transformer (Ranftl et al. 2021), as VGGT uses it.

The four token maps are brought to strides 1/4, 1/2, 1 and 2 of the patch grid and fused from coarse to fine.
Attribute names are the published keys (`norm`, `projects`, `resize_layers`, `scratch.*`).

Matched quirk: a residual unit's skip carries relu(x), not x, because the published ReLU works in place.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.plane import plane_waves

POSITION_WEIGHT = 0.1
OUTPUT_WIDTH = 32  # channels before the last layer


class DenseFeatures(nn.Module):
    """Four layers of patch tokens, each [M, h*w, dim] -> features [M, features_out, H, W].

    widths: channels of the four maps before fusion; positions: add waves of the image plane, twice; shrink: the
    features have 1/shrink of the image's height and width.
    """

    def __init__(
        self,
        dim: int,
        patch_size: int,
        *,
        features: int = 256,
        features_out: int = 128,
        widths: Sequence[int] = (256, 512, 1024, 1024),
        positions: bool = True,
        shrink: int = 1,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.positions = positions
        self.shrink = shrink
        self.norm = nn.LayerNorm(dim)
        self.projects = nn.ModuleList(nn.Conv2d(dim, width, 1) for width in widths)
        self.resize_layers = nn.ModuleList(
            (
                nn.ConvTranspose2d(widths[0], widths[0], 4, stride=4),
                nn.ConvTranspose2d(widths[1], widths[1], 2, stride=2),
                nn.Identity(),
                nn.Conv2d(widths[3], widths[3], 3, stride=2, padding=1),
            )
        )
        self.scratch = _Scratch(features, features_out, widths)

    def forward(self, layers: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w) patches; no special tokens among the layers."""
        size = (grid[0] * self.patch_size, grid[1] * self.patch_size)
        aspect = size[1] / size[0]
        maps = []
        for tokens, project, resize in zip(layers, self.projects, self.resize_layers, strict=True):
            features = project(self.norm(tokens).transpose(1, 2).unflatten(2, grid))
            maps.append(resize(self._placed(features, aspect)))
        fused = self.scratch(maps)
        return self._placed(_resize(fused, (size[0] // self.shrink, size[1] // self.shrink)), aspect)

    def _placed(self, features: Tensor, aspect: float) -> Tensor:
        if not self.positions:
            return features
        channels, height, width = features.shape[1:]
        return features + POSITION_WEIGHT * plane_waves(channels, height, width, aspect, features.device)


class DenseHead(DenseFeatures):
    """Four layers of patch tokens, each [M, h*w, dim] -> raw maps [M, channels, H, W]."""

    def __init__(
        self,
        dim: int,
        patch_size: int,
        channels: int,
        *,
        features: int = 256,
        widths: Sequence[int] = (256, 512, 1024, 1024),
    ) -> None:
        super().__init__(dim, patch_size, features=features, features_out=features // 2, widths=widths)
        self.scratch.output_conv2 = nn.Sequential(
            nn.Conv2d(features // 2, OUTPUT_WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(OUTPUT_WIDTH, channels, 1)
        )

    def forward(self, layers: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w) patches; no special tokens among the layers."""
        return self.scratch.output_conv2(super().forward(layers, grid))


class _Scratch(nn.Module):
    """The fusion of four maps from coarse to fine, and the layers after it; `output_conv2` makes raw maps of features.

    The name is the published one.
    """

    output_conv2: nn.Module

    def __init__(self, features: int, features_out: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(width, features, 3, padding=1, bias=False) for width in widths
        )
        self.refinenet1, self.refinenet2, self.refinenet3 = (_Fusion(features, joins=True) for _ in range(3))
        self.refinenet4 = _Fusion(features, joins=False)
        self.output_conv1 = nn.Conv2d(features, features_out, 3, padding=1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps from fine to coarse [M, width, h_k, w_k] -> features [M, features_out, 2 h_1, 2 w_1]."""
        first, second = self.layer1_rn(maps[0]), self.layer2_rn(maps[1])
        third, fourth = self.layer3_rn(maps[2]), self.layer4_rn(maps[3])
        fused = self.refinenet4(fourth, size=third.shape[-2:])
        fused = self.refinenet3(fused, third, size=second.shape[-2:])
        fused = self.refinenet2(fused, second, size=first.shape[-2:])
        fused = self.refinenet1(fused, first, size=(2 * first.shape[-2], 2 * first.shape[-1]))
        return self.output_conv1(fused)


class _Fusion(nn.Module):
    """Join a coarse map with a finer one, refine, and resize; without `joins` there is nothing to join."""

    def __init__(self, features: int, *, joins: bool) -> None:
        super().__init__()
        if joins:
            self.resConfUnit1 = _ResidualUnit(features)
        self.resConfUnit2 = _ResidualUnit(features)
        self.out_conv = nn.Conv2d(features, features, 1)

    def forward(self, coarse: Tensor, fine: Tensor | None = None, *, size: tuple[int, int]) -> Tensor:
        """[M, features, h, w] (and `fine` of the same shape) -> [M, features, *size]."""
        if fine is not None:
            coarse = coarse + self.resConfUnit1(fine)
        # published after the resize; a 1x1 convolution and interpolation commute, and before it costs a quarter
        return _resize(self.out_conv(self.resConfUnit2(coarse)), size)


class _ResidualUnit(nn.Module):
    """relu(x) + conv2(relu(conv1(relu(x))))."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """[M, features, h, w] -> the same shape."""
        positive = F.relu(features)
        return positive + self.conv2(F.relu(self.conv1(positive)))


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=True)
