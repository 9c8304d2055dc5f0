"""RAFT optical flow, evaluated per clip. Teed and Deng, "RAFT", ECCV 2020; the published networks, exactly.

Every frame is encoded once (published wrappers do it four times); both directions come from one correlation volume,
many pairs at a time within a memory limit; what the recurrent units read of the context is computed once; the mask
head and the upsampling run after the last iteration only; the layout is channels_last. The same numbers as the plain
form in motion4d.flow.raft_plain. Under autocast the convolutions are reduced in precision; correlation and the sum of
corrections stay float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.flow.correlation import Correlation, Volume, correlate_both_ways, pixel_grid
from motion4d.flow.fitting import Fitting, Resize
from motion4d.flow.network import FlowNetwork, last_of
from motion4d.flow.raft_encoder import BottleneckBlock, Encoder, ResidualBlock, instance_norm
from motion4d.flow.raft_update import FlowHead, MaskPredictor, MotionEncoder, RecurrentBlock, UpdateBlock
from motion4d.layers.upsample import bilinear_upsample, convex_upsample

LEAST_SIDE = 128  # pixels: below it a level of the correlation pyramid is one pixel wide


class Raft(FlowNetwork):
    """A flow estimator (motion4d.flow.base); `raft_large` and `raft_small` build the published sizes.

    feature_encoder, context_encoder: [M, 3, H, W] in [-1, 1] -> 1/8 resolution. mask_predictor: None for bilinear
    upsampling. levels, radius: of the correlation lookup. iterations: updates per pair. network: prepare,
    memory_limit and weights, and as fitting: see FlowNetwork; a pair whose correlation volume needs more memory is
    computed on the fly.
    """

    def __init__(
        self,
        *,
        feature_encoder: Encoder,
        context_encoder: Encoder,
        update_block: UpdateBlock,
        mask_predictor: MaskPredictor | None,
        levels: int,
        radius: int,
        iterations: int = 12,
        fitting: Fitting = Resize(),
        **network: Any,
    ) -> None:
        super().__init__(least_side=LEAST_SIDE, fitting=fitting, **network)
        self.feature_encoder = feature_encoder
        self.context_encoder = context_encoder
        self.update_block = update_block
        self.mask_predictor = mask_predictor
        self.levels, self.radius = levels, radius
        self.iterations = iterations
        self.freeze()

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[M, 3, H, W] in [0, 1], H and W multiples of 8 -> features (float32) and context [M, C, H/8, W/8]."""
        chunks = self.frame_chunks((2 * images - 1).contiguous(memory_format=torch.channels_last))
        features = torch.cat([self.feature_encoder(chunk) for chunk in chunks])
        return features.float(), torch.cat([self.context_encoder(chunk) for chunk in chunks])

    def pair_bytes(self, height: int, width: int) -> int:
        """See FlowNetwork: the correlation volumes."""
        return Volume.bytes_both_ways(height // 8, width // 8, levels=self.levels)

    def correlate(self, first: Tensor, second: Tensor) -> Correlation:
        """Features [P, D, h, w] of both frames -> lookups for 2P pairs: first to second, then second to first."""
        return correlate_both_ways(
            first, second, levels=self.levels, radius=self.radius, memory_limit=self.memory_limit
        )

    def updates(
        self, correlation: Correlation, context: Tensor, *, start: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The state after every iteration: hidden [P, H, h, w] and flow [P, 2, h, w] in coarse pixels, float32.

        context: what the context encoder says of the source frames. start: a flow to begin with, coarse pixels.
        """
        hidden, fixed = context.split([self.update_block.hidden, self.update_block.context], 1)
        hidden, fixed = torch.tanh(hidden), torch.relu(fixed)
        update = self.update_block.prepare(fixed)
        grid = pixel_grid(context.shape[-2], context.shape[-1], like=context)
        flow = grid.new_zeros(len(context), *grid.shape) if start is None else start.float()
        flow = flow.contiguous(memory_format=torch.channels_last)  # one other layout, and all that follows is slow
        for _ in range(self.iterations):
            hidden, correction = update.step(hidden, correlation.lookup(grid + flow), flow)
            flow = flow + correction
            yield hidden, flow

    def upsample(self, hidden: Tensor, flow: Tensor) -> Tensor:
        """[P, 2, h, w] in coarse pixels -> [P, 2, 8h, 8w] in pixels, float32."""
        if self.mask_predictor is None:
            return bilinear_upsample(flow)
        return convex_upsample(flow, self.mask_predictor(hidden).float())

    def both_ways(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """See FlowNetwork."""
        correlation = self.correlate(first[0], second[0])
        hidden, flow = last_of(self.updates(correlation, torch.cat([first[1], second[1]])))
        return self.upsample(hidden, flow)


def raft_large(**settings: Any) -> Raft:
    """The published large network (5.3 M parameters). settings: iterations, fitting, memory_limit, weights."""
    hidden, context, radius, levels = 128, 128, 4, 4
    widths = (64, 64, 96, 128)
    motion = MotionEncoder(
        levels * (2 * radius + 1) ** 2, correlation_widths=(256, 192), flow_widths=(128, 64), out=128
    )
    return Raft(
        feature_encoder=Encoder(widths, 256, block=ResidualBlock, norm=instance_norm),
        context_encoder=Encoder(widths, hidden + context, block=ResidualBlock, norm=nn.BatchNorm2d),
        update_block=UpdateBlock(
            motion_encoder=motion,
            recurrent_block=RecurrentBlock(hidden, context, motion.out_channels, kernels=((1, 5), (5, 1))),
            flow_head=FlowHead(hidden, 256),
        ),
        mask_predictor=MaskPredictor(hidden, 256),
        levels=levels,
        radius=radius,
        prepare="raft",
        **settings,
    )


def raft_small(**settings: Any) -> Raft:
    """The published small network, 1.0 M parameters; settings: as raft_large's."""
    hidden, context, radius, levels = 96, 64, 3, 4
    widths = (32, 32, 64, 96)
    motion = MotionEncoder(levels * (2 * radius + 1) ** 2, correlation_widths=(96,), flow_widths=(64, 32), out=82)
    return Raft(
        feature_encoder=Encoder(widths, 128, block=BottleneckBlock, norm=instance_norm),
        context_encoder=Encoder(widths, hidden + context, block=BottleneckBlock, norm=nn.Identity),
        update_block=UpdateBlock(
            motion_encoder=motion,
            recurrent_block=RecurrentBlock(hidden, context, motion.out_channels, kernels=((3, 3),)),
            flow_head=FlowHead(hidden, 128),
        ),
        mask_predictor=None,
        levels=levels,
        radius=radius,
        prepare="raft_small",
        **settings,
    )
