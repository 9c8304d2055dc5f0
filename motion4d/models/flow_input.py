"""What a motion head sees of the flow: one map (or two) per frame, made of the flows towards both neighbours.

Each rule is a function Flow -> [B, N, channels, H, W] in pixels, unnormalised; config names one with `_partial_`.
GeoMotion (Zhou et al. 2026) was trained with `bidirectional_max`; the others are the options of its released code
(`weighted_mean` there is the mean). Every inner frame has two flows on its own grid: towards the next frame and towards
the previous one; the first and the last frame have one. A clip of one frame has none and gives zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from motion4d.clip import Flow

FlowInput = Callable[[Flow], Tensor]


def bidirectional_max(flow: Flow) -> Tensor:
    """The larger of the two displacement lengths, pixel by pixel: [B, N, 1, H, W]."""
    return _fuse_lengths(flow, torch.maximum)


def bidirectional_mean(flow: Flow) -> Tensor:
    """The mean of the two displacement lengths (of the one there is at either end): [B, N, 1, H, W]."""
    return _fuse_lengths(flow, lambda towards_next, towards_previous: (towards_next + towards_previous) / 2)


def bidirectional_sum(flow: Flow) -> Tensor:
    """The sum of the two displacement lengths: [B, N, 1, H, W]."""
    return _fuse_lengths(flow, torch.add)


def forward_only(flow: Flow) -> Tensor:
    """Frame t: length of the flow t-1 -> t, which lies on the *previous* frame's grid; zeros for frame 0 (parity)."""
    lengths = _length(flow.forward)
    return torch.cat((_no_flow(flow, 1), lengths), dim=1)


def vectors_max(flow: Flow) -> Tensor:
    """The flow vectors towards the neighbour with the larger single displacement, frame by frame: [B, N, 2, H, W]."""

    def stronger(towards_next: Tensor, towards_previous: Tensor) -> Tensor:
        peaks = [_length(vectors).amax((-3, -2, -1), keepdim=True) for vectors in (towards_next, towards_previous)]
        return torch.where(peaks[0] >= peaks[1], towards_next, towards_previous)

    return _fuse(flow.forward, _backward(flow), stronger) if flow.forward.shape[1] else _no_flow(flow, 2)


def _fuse_lengths(flow: Flow, rule: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    if not flow.forward.shape[1]:
        return _no_flow(flow, 1)
    return _fuse(_length(flow.forward), _length(_backward(flow)), rule)


def _fuse(forward: Tensor, backward: Tensor, rule: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """First frame: its forward flow; last frame: its backward flow; the others: `rule` of both. [B, N-1, ...] each."""
    return torch.cat((forward[:, :1], rule(forward[:, 1:], backward[:, :-1]), backward[:, -1:]), dim=1)


def _length(vectors: Tensor) -> Tensor:
    """[..., 2, H, W] -> [..., 1, H, W]."""
    return vectors.square().sum(-3, keepdim=True).sqrt()


def _no_flow(flow: Flow, channels: int) -> Tensor:
    batch, _, _, height, width = flow.forward.shape
    return flow.forward.new_zeros(batch, 1, channels, height, width)


def _backward(flow: Flow) -> Tensor:
    if flow.backward is None:
        raise ValueError("this flow input needs flow in both directions, but the flow has no backward part")
    return flow.backward
