"""GMFlow optical flow, evaluated per clip. Xu et al., "GMFlow", CVPR 2022, and "UniMatch", PAMI 2023.

The three published networks, exactly: one scale (1/8), two scales (1/8, 1/4), and two scales with six recurrent
refinements. Every frame is encoded once; the transformer and the first matching serve both directions at once. The
refinement starts every time with the same hidden state, so all that it reads of it and of the context is computed once;
its correlation is looked up in a volume, or on the fly where that would pass the memory limit. The encoder's layout is
contiguous: as quick as channels_last here, and rounded less, which the matching would magnify.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.flow.correlation import Correlation, Volume, correlate_both_ways, pixel_grid
from motion4d.flow.fitting import Landscape, Resize
from motion4d.flow.gmflow_transformer import FeatureTransformer, add_position_code
from motion4d.flow.matching import FlowPropagation, match_globally, match_locally, warp
from motion4d.flow.network import FlowNetwork, last_of
from motion4d.flow.raft_encoder import Encoder, ResidualBlock, instance_norm
from motion4d.flow.raft_update import FlowHead, MaskPredictor, MotionEncoder, RecurrentBlock, UpdateBlock
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.layers.upsample import bilinear_upsample, convex_upsample

CHANNELS = 128
COARSE_SPLITS, FINE_SPLITS = 2, 8  # windows along each side of the transformer's maps
RADIUS = 4  # of the fine matching and of the refinement's lookup
WIDTHS = (64, 64, 96, 128)  # of the encoder


class Matched(NamedTuple):
    """What a scale finds: features [2P, h, w, C] of source and target frames; flow [2P, 2, h, w] before and after
    propagation, in pixels of the scale's map. The first P are the forward direction."""

    source: Tensor
    target: Tensor
    found: Tensor
    flow: Tensor


class GmFlow(FlowNetwork):
    """A flow estimator (motion4d.flow.base); `gmflow`, `gmflow_scale2` and `unimatch` build the published networks.

    trident_conv: turns the encoder's 1/4 map into the two scales; None: the encoder ends at 1/8, the only scale.
    update_block: of the refinement; None: there is none. refinements: how many of them.
    upsampling: factor from the finest map to the frames. network: fitting, prepare, memory_limit and weights, see
    FlowNetwork.
    """

    def __init__(
        self,
        *,
        feature_encoder: Encoder,
        trident_conv: nn.Conv2d | None,
        update_block: UpdateBlock | None,
        mask_predictor: MaskPredictor,
        upsampling: int,
        refinements: int = 0,
        **network: Any,
    ) -> None:
        super().__init__(least_side=1, **network)
        self.feature_encoder = feature_encoder
        self.trident_conv = trident_conv
        self.transformer = FeatureTransformer(CHANNELS, depth=6)
        self.feature_flow_attn = FlowPropagation(CHANNELS)
        self.refine_proj = nn.Conv2d(CHANNELS, 2 * CHANNELS, 1) if update_block else None
        self.update_block = update_block
        self.mask_predictor = mask_predictor
        self.upsampling = upsampling
        self.refinements = refinements
        self.register_buffer("mean", torch.tensor(IMAGE_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(IMAGE_STD).view(3, 1, 1), persistent=False)
        self.freeze()

    def encode(self, images: Tensor) -> tuple[Tensor, ...]:
        """[M, 3, H, W] in [0, 1] -> features [M, C, h, w] of every scale, coarse ones first, float32."""
        normalised = (images - self.get_buffer("mean")) / self.get_buffer("deviation")
        maps = torch.cat([self.feature_encoder(chunk) for chunk in self.frame_chunks(normalised)])
        if self.trident_conv is None:
            return (maps.float(),)
        coarse = F.conv2d(maps, self.trident_conv.weight, stride=2, padding=1)
        return coarse.float(), self.trident_conv(maps).float()

    def pair_bytes(self, height: int, width: int) -> int:
        """See FlowNetwork: four maps inside the transformer, and the refinement's correlation."""
        rows, columns = height // self.upsampling, width // self.upsampling
        volume = Volume.bytes_both_ways(rows, columns, levels=1) if self.update_block else 0
        return 4 * 4 * 16 * CHANNELS * rows * columns + volume

    def both_ways(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """See FlowNetwork."""
        matched = last_of(self.scales(first, second))
        features = matched.source.permute(0, 3, 1, 2)
        if self.update_block is None:
            mask = self.mask_predictor(torch.cat([matched.flow, features], 1))
            return convex_upsample(matched.flow, mask.float(), factor=self.upsampling)
        hidden, flow = last_of(self.refine(self.correlate(first[-1], second[-1]), features, matched.flow))
        return convex_upsample(flow, self.mask_predictor(hidden).float(), factor=self.upsampling)

    def scales(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Iterator[Matched]:
        """Features [P, C, h, w] of each scale -> what each scale finds, in both directions."""
        matched = self._match_coarse(first[0], second[0])
        yield matched
        for one, two in zip(first[1:], second[1:], strict=True):
            matched = self._match_fine(torch.cat([one, two]), torch.cat([two, one]), matched.flow)
            yield matched

    def correlate(self, first: Tensor, second: Tensor) -> Correlation:
        """Features [P, C, h, w] of both frames -> the refinement's lookups, 2P pairs; its windows are RAFT's."""
        return correlate_both_ways(first, second, levels=1, radius=RADIUS, memory_limit=self.memory_limit)

    def look_up(self, correlation: Correlation, flow: Tensor) -> Tensor:
        """[2P, 81, h, w] where `flow` leads, in row-major windows."""
        found = correlation.lookup(pixel_grid(flow.shape[-2], flow.shape[-1], like=flow) + flow)
        side = 2 * RADIUS + 1
        return found.unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)

    def refine(self, correlation: Correlation, features: Tensor, flow: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The hidden state [2P, H, h, w] and the flow [2P, 2, h, w] after every refinement.

        features: of the source frames, after the transformer. The hidden state is not carried over (published so).
        """
        assert self.refine_proj is not None
        assert self.update_block is not None
        start, context = self.refine_proj(features.contiguous(memory_format=torch.channels_last)).chunk(2, 1)
        start, context = torch.tanh(start), torch.relu(context)
        update = self.update_block.prepare(context, restart=start)
        flow = flow.contiguous(memory_format=torch.channels_last)
        for _ in range(self.refinements):
            hidden, correction = update.step(start, self.look_up(correlation, flow), flow)
            flow = flow + correction
            yield hidden, flow

    def _match_coarse(self, first: Tensor, second: Tensor) -> Matched:
        maps = self._transformed(first, second, splits=COARSE_SPLITS)
        one, two = maps.chunk(2)
        with torch.autocast(maps.device.type, enabled=False):
            found = match_globally(one, two, memory_limit=self.memory_limit)
            flow = self.feature_flow_attn.everywhere(maps, found, memory_limit=self.memory_limit)
        return Matched(maps, torch.cat([two, one]), found, flow)

    def _match_fine(self, source: Tensor, target: Tensor, coarse: Tensor) -> Matched:
        before = bilinear_upsample(coarse, factor=2)
        one, two = self._transformed(source, warp(target, before), splits=FINE_SPLITS).chunk(2)
        with torch.autocast(one.device.type, enabled=False):
            found = before + match_locally(one, two, radius=RADIUS)
            flow = self.feature_flow_attn.nearby(one, found)
        return Matched(one, two, found, flow)

    def _transformed(self, first: Tensor, second: Tensor, *, splits: int) -> Tensor:
        """Features [P, C, h, w] twice -> [2P, h, w, C] after the transformer, float32."""
        maps = torch.cat([first, second]).permute(0, 2, 3, 1)
        return self.transformer(add_position_code(maps, splits=splits), splits=splits).float()


def gmflow(**settings: Any) -> GmFlow:
    """The published network of one scale, 4.7 M parameters. settings: memory_limit, weights and fitting of GmFlow."""
    return GmFlow(
        feature_encoder=_encoder(strides=(1, 2, 2)),
        trident_conv=None,
        update_block=None,
        mask_predictor=MaskPredictor(2 + CHANNELS, 256, factor=8, scale=1),
        upsampling=8,
        prepare="gmflow",
        **{"fitting": Landscape(Resize(16, align_corners=True)), **settings},
    )


def gmflow_scale2(**settings: Any) -> GmFlow:
    """The published network of two scales, 4.7 M parameters; settings: as gmflow's."""
    return _two_scales(
        update_block=None,
        mask_predictor=MaskPredictor(2 + CHANNELS, 256, factor=4, scale=1),
        prepare="gmflow_scale2",
        **settings,
    )


def unimatch(*, refinements: int = 6, **settings: Any) -> GmFlow:
    """The published network of two scales and six refinements, 7.4 M parameters; settings: as gmflow's."""
    motion = MotionEncoder((2 * RADIUS + 1) ** 2, correlation_widths=(256, 192), flow_widths=(128, 64), out=CHANNELS)
    return _two_scales(
        update_block=UpdateBlock(
            motion_encoder=motion,
            recurrent_block=RecurrentBlock(CHANNELS, CHANNELS, motion.out_channels, kernels=((1, 5), (5, 1))),
            flow_head=FlowHead(CHANNELS, 256),
        ),
        mask_predictor=MaskPredictor(CHANNELS, 256, factor=4, scale=1),
        refinements=refinements,
        prepare="unimatch",
        **settings,
    )


def _two_scales(**parts: Any) -> GmFlow:
    return GmFlow(
        feature_encoder=_encoder(strides=(1, 2, 1)),
        trident_conv=nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
        upsampling=4,
        **{"fitting": Landscape(Resize(32, align_corners=True)), **parts},
    )


def _encoder(*, strides: Sequence[int]) -> Encoder:
    block = partial(ResidualBlock, bias=False)
    return Encoder(WIDTHS, CHANNELS, block=block, norm=instance_norm, strides=strides, stem_bias=False)
