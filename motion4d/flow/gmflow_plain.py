"""GMFlow in its plain, published form: one pair and one direction per call. The oracle of tests and of eval.speed.

The same modules as motion4d.flow.gmflow, used the obvious way: contiguous layout, both frames encoded for every pair,
all scores of an attention or a matching at once, the refinement's windows sampled from features, its gates computed
from everything.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.flow.correlation import pixel_grid
from motion4d.flow.gmflow import COARSE_SPLITS, FINE_SPLITS, RADIUS, GmFlow
from motion4d.flow.gmflow_transformer import (
    AttentionLayer,
    CrossBlock,
    add_position_code,
    from_windows,
    shift_mask,
    to_windows,
)
from motion4d.flow.matching import match_locally, warp
from motion4d.layers.upsample import bilinear_upsample, convex_upsample


@torch.no_grad()
def plain_gmflow_pair(network: GmFlow, image1: Tensor, image2: Tensor) -> Tensor:
    """[P, 3, H, W] in [0, 1] twice, of a fitted size -> the flow [P, 2, H, W]."""
    scales = [maps.chunk(2) for maps in _features(network, torch.cat([image1, image2]))]
    source, target = _transformed(network, *scales[0], splits=COARSE_SPLITS)
    flow = network.feature_flow_attn.everywhere(source, _match(source, target), memory_limit=2**40)
    for first, second in scales[1:]:
        flow = bilinear_upsample(flow, factor=2)
        source, target = _transformed(network, first, warp(second, flow), splits=FINE_SPLITS)
        flow = network.feature_flow_attn.nearby(source, flow + match_locally(source, target, radius=RADIUS))
    features = source.permute(0, 3, 1, 2).contiguous()
    if network.update_block is None:
        mask = network.mask_predictor(torch.cat([flow, features], 1))
    else:
        first, second = scales[-1]
        hidden, flow = _refined(network, first, second, features, flow)
        mask = network.mask_predictor(hidden)
    return convex_upsample(flow, mask, factor=network.upsampling)


def plain_gmflow_clip(network: GmFlow, clip: Clip) -> Flow:
    """What GmFlow.forward says of a clip, pair by pair and direction by direction."""
    images = clip.images
    size = clip.size

    def fields(first: int, second: int) -> Tensor:
        """Flow of frame `first` -> frame `second` [B, 2, H, W]."""
        pair = (network.fitting.images(images[:, first]), network.fitting.images(images[:, second]))
        return network.fitting.undo_flow(plain_gmflow_pair(network, *pair), size)

    pairs = range(clip.num_frames - 1)
    return Flow(
        forward=torch.stack([fields(t, t + 1) for t in pairs], 1),
        backward=torch.stack([fields(t + 1, t) for t in pairs], 1),
    )


def _features(network: GmFlow, images: Tensor) -> list[Tensor]:
    """Every scale's features [M, C, h, w], coarse ones first."""
    normalised = (images - network.get_buffer("mean")) / network.get_buffer("deviation")
    maps = network.feature_encoder(normalised.contiguous())
    if network.trident_conv is None:
        return [maps]
    return [F.conv2d(maps, network.trident_conv.weight, stride=2, padding=1), network.trident_conv(maps)]


def _transformed(network: GmFlow, first: Tensor, second: Tensor, *, splits: int) -> tuple[Tensor, Tensor]:
    """Features [P, C, h, w] twice -> [P, h, w, C] twice."""
    maps = add_position_code(torch.cat([first, second]).permute(0, 2, 3, 1), splits=splits)
    height, width = maps.shape[1:3]
    half = (height // splits // 2, width // splits // 2)
    mask = shift_mask(height, width, splits=splits, like=maps)
    for number, layer in enumerate(network.transformer.layers):
        assert isinstance(layer, CrossBlock)
        shift, forbidden = (half, mask) if number % 2 else ((0, 0), None)
        tokens = to_windows(maps.roll((-shift[0], -shift[1]), (1, 2)), splits=splits)
        one, two = tokens.chunk(2)
        tokens = tokens + _message(layer.self_attn, tokens, tokens, forbidden)
        cross = layer.cross_attn_ffn
        message = _message(cross, tokens, torch.cat([two, one]), forbidden)
        tokens = tokens + cross.norm2(cross.mlp(torch.cat([tokens, message], -1)))
        maps = from_windows(tokens, height, width).roll(shift, (1, 2))
    first, second = maps.chunk(2)
    return first, second


def _message(layer: AttentionLayer, source: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """What the target has to say to every token of the source: [M, K*K, t, C]."""
    query, key, value = layer.q_proj(source), layer.k_proj(target), layer.v_proj(target)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    scores = scores if mask is None else scores + mask
    return layer.norm1(layer.merge(scores.softmax(-1) @ value))


def _match(first: Tensor, second: Tensor) -> Tensor:
    """[P, h, w, C] twice -> [P, 2, h, w]: the mean of all places, weighted by the softmax of their scores."""
    height, width, channels = first.shape[1:]
    places = pixel_grid(height, width, like=first).flatten(1).T
    scores = first.flatten(1, 2) @ second.flatten(1, 2).transpose(1, 2) / math.sqrt(channels)
    return (scores.softmax(-1) @ places - places).transpose(1, 2).unflatten(2, (height, width))


def _refined(network: GmFlow, first: Tensor, second: Tensor, features: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """The hidden state and the flow after the last refinement."""
    block = network.update_block
    assert block is not None
    assert network.refine_proj is not None
    hidden = features
    for _ in range(network.refinements):
        hidden, context = network.refine_proj(features).chunk(2, 1)
        hidden, context = torch.tanh(hidden), torch.relu(context)
        motion = block.motion_encoder(_sampled_scores(first, second, flow), flow)
        for unit in block.recurrent_block.units:
            hidden = unit(hidden, torch.cat([context, motion], 1))
        flow = flow + block.flow_head(hidden)
    return hidden, flow


def _sampled_scores(first: Tensor, second: Tensor, flow: Tensor) -> Tensor:
    """[P, (2r+1)^2, h, w]: scores with a row-major window around where `flow` leads; all its features are sampled."""
    pairs, channels, height, width = first.shape
    reach = torch.arange(-RADIUS, RADIUS + 1, device=flow.device, dtype=flow.dtype)
    offsets = torch.stack([reach.repeat(len(reach)), reach.repeat_interleave(len(reach))], -1)
    places = (pixel_grid(height, width, like=flow) + flow).flatten(2).transpose(1, 2)[:, :, None] + offsets
    step = flow.new_tensor([2 / (width - 1), 2 / (height - 1)])
    windows = F.grid_sample(second, places * step - 1, padding_mode="zeros", align_corners=True)  # [P, C, hw, window]
    scores = (windows * first.flatten(2)[..., None]).sum(1) / math.sqrt(channels)
    return scores.transpose(1, 2).unflatten(2, (height, width))
