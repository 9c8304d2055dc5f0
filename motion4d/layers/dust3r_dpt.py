"""The dense prediction head of DUSt3R and MonST3R (Ranftl et al., "Vision Transformers for Dense Prediction", 2021).

Four token lists become maps at strides 4, 8, 16 and 32 (for patches of 16) and are fused from coarse to fine. Attribute
names are the published keys. `refinenet4.resConfUnit1` has published weights, but nothing to refine: it never runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Dust3rDpt(nn.Module):
    """Four token lists [M, h*w, in_dims[k]], coarsest last -> maps [M, channels, 16h, 16w].

    features: channels of the fusion; last_dim: channels of the output convolutions; layer_dims: of the four maps.
    """

    def __init__(
        self,
        in_dims: Sequence[int],
        channels: int,
        *,
        features: int = 256,
        last_dim: int = 128,
        layer_dims: Sequence[int] = (96, 192, 384, 768),
    ) -> None:
        super().__init__()
        first, second, third, fourth = layer_dims
        self.act_postprocess = nn.ModuleList(
            nn.Sequential(nn.Conv2d(source, target, 1), *resampling)
            for source, target, resampling in (
                (in_dims[0], first, [nn.ConvTranspose2d(first, first, 4, stride=4)]),
                (in_dims[1], second, [nn.ConvTranspose2d(second, second, 2, stride=2)]),
                (in_dims[2], third, []),
                (in_dims[3], fourth, [nn.Conv2d(fourth, fourth, 3, stride=2, padding=1)]),
            )
        )
        self.scratch = nn.Module()
        for number, dim in enumerate(layer_dims, start=1):
            self.scratch.add_module(f"layer{number}_rn", nn.Conv2d(dim, features, 3, padding=1, bias=False))
            self.scratch.add_module(f"refinenet{number}", _Fusion(features))
        # what never runs has no gradient to share between ranks
        self.scratch.get_submodule("refinenet4.resConfUnit1").requires_grad_(False)
        self.head = nn.Sequential(
            nn.Conv2d(features, last_dim, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(last_dim, last_dim, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(last_dim, channels, 1),
        )

    def forward(self, tokens: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w) patches; no special tokens among `tokens`."""
        maps = []
        for number, (listed, resample) in enumerate(zip(tokens, self.act_postprocess, strict=True), start=1):
            reduce = self.scratch.get_submodule(f"layer{number}_rn")
            maps.append(reduce(resample(listed.transpose(1, 2).unflatten(2, grid))))
        height, width = maps[2].shape[-2:]
        path = self.scratch.get_submodule("refinenet4")(maps[3], None)[:, :, :height, :width]
        for number in (3, 2, 1):
            path = self.scratch.get_submodule(f"refinenet{number}")(path, maps[number - 1])
        return self.head(path)


class _Fusion(nn.Module):
    """Add a finer map, refine, double the size."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, 1)
        self.resConfUnit1 = _Residual(features)
        self.resConfUnit2 = _Residual(features)

    def forward(self, path: Tensor, finer: Tensor | None) -> Tensor:
        """[M, features, h, w] and a map of the same size (or none) -> [M, features, 2h, 2w]."""
        if finer is not None:
            path = path + self.resConfUnit1(finer)
        path = self.resConfUnit2(path)
        # a 1x1 convolution commutes with bilinear interpolation, and is four times cheaper before it
        return F.interpolate(self.out_conv(path), scale_factor=2, mode="bilinear", align_corners=True)


class _Residual(nn.Module):
    """features + two 3x3 convolutions, each after a ReLU."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """[M, features, h, w] -> the same shape."""
        return features + self.conv2(F.relu(self.conv1(F.relu(features))))
