"""SEA-RAFT optical flow, evaluated per clip. Wang, Lipson and Deng, "SEA-RAFT", ECCV 2024; the published networks.

Features are computed once per frame; the context network reads both frames of a pair, so it runs once per pair and
direction. The rest as motion4d.flow.raft: both directions from one correlation volume, what does not change computed
once per pair, mask head and upsampling after the last iteration only. The network also predicts how uncertain it is
(`head`, channels 2 to 5); nothing reads that yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from motion4d.flow.correlation import Correlation, Volume, correlate_both_ways, pixel_grid
from motion4d.flow.fitting import Fitting, ReplicatePad
from motion4d.flow.network import FlowNetwork, encoder_bytes, last_of
from motion4d.flow.raft import LEAST_SIDE
from motion4d.flow.raft_encoder import Encoder, ResidualBlock
from motion4d.flow.raft_update import FlowHead, MaskPredictor, MotionEncoder
from motion4d.flow.sea_update import SeaUpdateBlock
from motion4d.layers.upsample import convex_upsample

LEVELS, RADIUS = 4, 4  # of the correlation lookup
CHANNELS = 128  # of the hidden state and of the context


class State(NamedTuple):
    """After an iteration: hidden [P, H, h, w], head [P, 6, h, w] and flow [P, 2, h, w] in coarse pixels, float32.

    head: correction of the flow, two mixture weights, two logarithms of scales.
    """

    hidden: Tensor
    head: Tensor
    flow: Tensor


class SeaRaft(FlowNetwork):
    """A flow estimator (motion4d.flow.base); `sea_raft` and `sea_raft_small` build the published sizes.

    blocks: residual blocks of the three stages of both encoders. iterations: updates per pair; published: 4, 12 for
    the large form (same weights), 20 in MonST3R. network: prepare, memory_limit and weights, and as fitting: see
    FlowNetwork; a pair whose correlation volume needs more memory is computed on the fly.
    """

    def __init__(
        self,
        *,
        blocks: Sequence[int],
        iterations: int = 4,
        fitting: Fitting = ReplicatePad(),
        **network: Any,
    ) -> None:
        super().__init__(least_side=LEAST_SIDE, fitting=fitting, **network)
        self.feature_encoder = _encoder(3, blocks)
        self.context_encoder = _encoder(6, blocks)
        self.init_conv = nn.Conv2d(2 * CHANNELS, 2 * CHANNELS, 3, padding=1)
        self.update_block = SeaUpdateBlock(
            motion_encoder=MotionEncoder(
                LEVELS * (2 * RADIUS + 1) ** 2, correlation_widths=(256, 192), flow_widths=(128, 64), out=CHANNELS
            ),
            hidden=CHANNELS,
            context=CHANNELS,
            blocks=2,
        )
        self.flow_head = FlowHead(CHANNELS, 256, out=6)
        self.mask_predictor = MaskPredictor(CHANNELS, 256)
        self.iterations = iterations
        self.freeze()

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[M, 3, H, W] in [0, 1], H and W multiples of 8 -> themselves in [-1, 1], and features [M, D, H/8, W/8]."""
        images = (2 * images - 1).contiguous(memory_format=torch.channels_last)
        features = torch.cat([self.feature_encoder(chunk) for chunk in self.frame_chunks(images)])
        return images, features.float()

    def pair_bytes(self, height: int, width: int) -> int:
        """See FlowNetwork: the correlation volumes and the context network."""
        return Volume.bytes_both_ways(height // 8, width // 8, levels=LEVELS) + 2 * encoder_bytes(height, width)

    def both_ways(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """See FlowNetwork."""
        correlation = self.correlate(first[1], second[1])
        last = last_of(self.states(correlation, self.context(first[0], second[0])))
        return self.upsample(last)

    def correlate(self, first: Tensor, second: Tensor) -> Correlation:
        """Features [P, D, h, w] of both frames -> lookups for 2P pairs: first to second, then second to first."""
        return correlate_both_ways(first, second, levels=LEVELS, radius=RADIUS, memory_limit=self.memory_limit)

    def context(self, first: Tensor, second: Tensor) -> Tensor:
        """Images [P, 3, H, W] in [-1, 1] -> [2P, 2C, h, w], what the context network says of both directions."""
        pairs = torch.cat([torch.cat([first, second], 1), torch.cat([second, first], 1)])
        pairs = pairs.contiguous(memory_format=torch.channels_last)
        return torch.cat([self.context_encoder(chunk) for chunk in self.frame_chunks(pairs)])

    def states(self, correlation: Correlation, context: Tensor) -> Iterator[State]:
        """The first guess, which needs no correlation, then the state after every iteration."""
        hidden, fixed = self.init_conv(context).chunk(2, 1)
        update, flow_head = self.update_block.prepare(fixed), self.flow_head.prepare()
        head = flow_head(hidden).float()
        flow = head[:, :2].contiguous(memory_format=torch.channels_last)
        yield State(hidden, head, flow)
        grid = pixel_grid(context.shape[-2], context.shape[-1], like=context)
        for _ in range(self.iterations):
            hidden = update.step(hidden, correlation.lookup(grid + flow), flow)
            head = flow_head(hidden).float()
            flow = flow + head[:, :2]
            yield State(hidden, head, flow)

    def upsample(self, state: State) -> Tensor:
        """The flow [P, 2, 8h, 8w] in pixels, float32."""
        return convex_upsample(state.flow, self.mask_predictor(state.hidden).float())


def sea_raft(**settings: Any) -> SeaRaft:
    """The published network M, 19.7 M parameters (L: 12 iterations).

    settings: iterations, fitting, memory_limit, weights.
    """
    return SeaRaft(blocks=(3, 4, 6), prepare="sea_raft", **settings)


def sea_raft_small(**settings: Any) -> SeaRaft:
    """The published network S, 8.9 M parameters; settings: as sea_raft's."""
    return SeaRaft(blocks=(2, 2, 2), prepare="sea_raft_small", **settings)


def _encoder(in_channels: int, blocks: Sequence[int]) -> Encoder:
    return Encoder(
        (64, 64, 128, 256), 256, block=ResidualBlock, norm=nn.BatchNorm2d, in_channels=in_channels, blocks=blocks
    )
