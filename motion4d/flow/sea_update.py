"""SEA-RAFT's update: ConvNeXt blocks over [hidden, context, motion] in place of recurrent units.

Wang, Lipson and Deng, "SEA-RAFT", ECCV 2024. Attribute names are the published keys. The context never changes, so its
share of the depthwise and of the last convolution is computed once per pair; the last two layers of a block are linear
and become one matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.flow.raft_update import MotionEncoder, PreparedMotion


@dataclass(frozen=True)
class PreparedConvNext:
    """A block for given pairs. Of what changes, the hidden state and the motion, the channels stand together.

    local_weight [H+M, 1, 7, 7] and context_local [P, h, w, C]: the depthwise convolution. widen: the block's norm and
    first layer. narrow [H, 4D/3] and skip [H, H+M]: the last layers; constant [P, h, w, H]: all that does not change.
    """

    block: ConvNext
    local_weight: Tensor
    local_bias: Tensor
    context_local: Tensor
    narrow: Tensor
    skip: Tensor
    constant: Tensor

    def step(self, hidden: Tensor, motion: Tensor) -> Tensor:
        """[P, H, h, w] and [P, M, h, w] -> the next hidden state [P, H, h, w]."""
        changing = torch.cat([hidden, motion], 1)
        local = F.conv2d(changing, self.local_weight, self.local_bias, padding=3, groups=changing.shape[1])
        of_hidden, of_motion = local.permute(0, 2, 3, 1).split([hidden.shape[1], motion.shape[1]], -1)
        wide = self.block.widen(torch.cat([of_hidden, self.context_local, of_motion], -1))
        out = F.linear(changing.permute(0, 2, 3, 1), self.skip) + F.linear(wide, self.narrow) + self.constant
        return out.permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """A ConvNeXt block with a residual and a last 1x1 convolution: [P, dim, h, w] -> [P, out, h, w]."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        width = 4 * out
        self.dwconv = nn.Conv2d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, width)
        self.pwconv2 = nn.Linear(width, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 1e-6))
        self.final = nn.Conv2d(dim, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The published form."""
        wide = self.widen(self.dwconv(x).permute(0, 2, 3, 1))
        return self.final(x + (self.gamma * self.pwconv2(wide)).permute(0, 3, 1, 2))

    def widen(self, x: Tensor) -> Tensor:
        """[P, h, w, dim] -> [P, h, w, width]."""
        return F.gelu(self.pwconv1(self.norm(x)))

    def prepare(self, context: Tensor) -> PreparedConvNext:
        """context: [P, C, h, w], the channels that follow as many of the hidden state."""
        assert self.dwconv.bias is not None
        hidden, last = self.final.out_channels, self.final.out_channels + context.shape[1]
        final = self.final.weight.flatten(1)
        fixed_local = F.conv2d(
            context, self.dwconv.weight[hidden:last], self.dwconv.bias[hidden:last], padding=3, groups=context.shape[1]
        )
        scaled = final * self.gamma
        constant = F.linear(context.permute(0, 2, 3, 1), final[:, hidden:last], self.final.bias)
        return PreparedConvNext(
            block=self,
            local_weight=_without(self.dwconv.weight, hidden, last),
            local_bias=_without(self.dwconv.bias, hidden, last),
            context_local=fixed_local.permute(0, 2, 3, 1),
            narrow=scaled @ self.pwconv2.weight,
            skip=_without(final.T, hidden, last).T,
            constant=constant + scaled @ self.pwconv2.bias,
        )


@dataclass(frozen=True)
class PreparedSeaUpdate:
    """An update block for given pairs."""

    motion: PreparedMotion
    blocks: Sequence[PreparedConvNext]

    def step(self, hidden: Tensor, correlation: Tensor, flow: Tensor) -> Tensor:
        """The next hidden state [P, H, h, w]."""
        features = self.motion.features(correlation, flow)
        motion = torch.cat([features, flow.to(features.dtype)], 1)
        for block in self.blocks:
            hidden = block.step(hidden, motion)
        return hidden


class SeaUpdateBlock(nn.Module):
    """Motion encoder and ConvNeXt blocks.

    hidden, context: channels. A block reads both and the motion features.
    """

    def __init__(self, *, motion_encoder: MotionEncoder, hidden: int, context: int, blocks: int) -> None:
        super().__init__()
        self.motion_encoder = motion_encoder
        dim = hidden + context + motion_encoder.out_channels
        self.refine = nn.ModuleList(ConvNext(dim, hidden) for _ in range(blocks))
        self.hidden, self.context = hidden, context

    def prepare(self, context: Tensor) -> PreparedSeaUpdate:
        """The block for pairs with this context [P, C, h, w]."""
        blocks = [block.prepare(context) for block in self.refine if isinstance(block, ConvNext)]
        return PreparedSeaUpdate(self.motion_encoder.prepare(), blocks)


def _without(weights: Tensor, first: int, last: int) -> Tensor:
    """`weights` without the rows `first` up to `last`."""
    return torch.cat([weights[:first], weights[last:]])
