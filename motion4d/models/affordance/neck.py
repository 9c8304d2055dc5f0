"""A feature pyramid that a sentence steers (CRIS, Wang et al. 2022): three maps and a sentence -> one map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.conv_norm import ConvNorm


class CoordConv(nn.Module):
    """A convolution that also sees where it is: x and y, from -1 to 1."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels_in + 2, channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels_in, h, w] -> [B, channels_out, h, w]."""
        height, width = x.shape[-2:]
        columns = torch.linspace(-1, 1, width, device=x.device, dtype=x.dtype).expand(len(x), 1, height, width)
        rows = torch.linspace(-1, 1, height, device=x.device, dtype=x.dtype)[:, None].expand(len(x), 1, height, width)
        return self.conv1(torch.cat((x, columns, rows), 1))


class Neck(nn.Module):
    """channels_in: of the maps, fine to coarse; sentence: its width; channels: of the pyramid, the middle leaves."""

    def __init__(self, channels_in: Sequence[int], sentence: int, channels: Sequence[int] = (256, 512, 1024)) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.channels_out = middle
        self.txt_proj = nn.Sequential(
            nn.Linear(sentence, coarse, bias=False), nn.BatchNorm1d(coarse), nn.ReLU(inplace=True)
        )
        self.f1_v_proj = ConvNorm(channels_in[2], coarse, 1)
        self.norm_layer = nn.Sequential(nn.BatchNorm2d(coarse), nn.ReLU(inplace=True))
        self.f2_v_proj = ConvNorm(channels_in[1], middle)
        self.f2_cat = ConvNorm(coarse + middle, middle, 1)
        self.f3_v_proj = ConvNorm(channels_in[0], fine)
        self.f3_cat = ConvNorm(fine + middle, middle, 1)
        self.f4_proj5 = ConvNorm(coarse, middle)
        self.f4_proj4 = ConvNorm(middle, middle)
        self.f4_proj3 = ConvNorm(middle, middle)
        self.aggr = ConvNorm(3 * middle, middle, 1)
        self.coordconv = nn.Sequential(CoordConv(middle, middle), ConvNorm(middle, middle))

    def forward(self, fine: Tensor, middle: Tensor, coarse: Tensor, sentence: Tensor) -> Tensor:
        """Maps [B, c, h, w], each half the size of the one before -> [B, channels_out, h, w] of the middle one."""
        if self.training and len(sentence) == 1 and self.txt_proj[1].training:
            raise ValueError(
                "one sample is too few to train with, because sentences are normalised over the batch: use "
                "training.batch_size=2 or more"
            )
        steered = self.f1_v_proj(coarse) * self.txt_proj(sentence)[:, :, None, None]
        f5 = self.norm_layer(steered)
        f4 = self.f2_cat(torch.cat((self.f2_v_proj(middle), _twice(f5)), 1))
        f3 = self.f3_cat(torch.cat((F.avg_pool2d(self.f3_v_proj(fine), 2), f4), 1))
        joined = torch.cat((self.f4_proj3(f3), self.f4_proj4(f4), _twice(self.f4_proj5(f5))), 1)
        return self.coordconv(self.aggr(joined))


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")
