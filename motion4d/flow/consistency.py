"""Where forward and backward flow agree: the true check, and the three forms that published systems use.

Fields are [..., 2, H, W] in pixels; the second one lies on the grid that the first one leads to. A pixel that is
hidden in the other frame, or leaves it, has no partner there: there the fields disagree.

`consistent` is the check of Sundaram et al. (ECCV 2010, also in UnFlow): |f + b(x + f)|^2 below a bound that grows with
the squared lengths of f and of b where f leads. The published forms deviate from it, and are kept to the number:
- UniMatch: lengths, not squares, and b's length at x instead of x + f;
- MonST3R: the sum of both components' errors, so that errors of opposite sign cancel;
- DynamicVerse: no backward flow at all, but the negated forward flow where it leads to: smoothness along the flow.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Flow


def consistent(first: Tensor, second: Tensor, *, alpha: float = 0.01, beta: float = 0.5) -> Tensor:
    """Bool [..., H, W]: the round trip ends near its start, and turns around inside the other frame.

    |f + b|^2 <= alpha (|f|^2 + |b|^2) + beta, with b the second field where the first one leads; beta in pixels^2.
    """
    back = warp(second, first)
    lengths = first.square().sum(-3) + back.square().sum(-3)
    return ((first + back).square().sum(-3) <= alpha * lengths + beta) & inside(first)


def both_consistent(flow: Flow, *, alpha: float = 0.01, beta: float = 0.5) -> tuple[Tensor, Tensor]:
    """`consistent` for both directions of a clip's flow: bool [B, N-1, H, W] on frames 0..N-2, and on frames 1..N-1."""
    if flow.backward is None:
        raise ValueError("the forward-backward check needs backward flow, but this flow has none")
    forward = consistent(flow.forward, flow.backward, alpha=alpha, beta=beta)
    return forward, consistent(flow.backward, flow.forward, alpha=alpha, beta=beta)


def round_trip_error(first: Tensor, second: Tensor) -> Tensor:
    """[..., H, W]: how many pixels from its start the round trip ends; infinite where it leaves the other frame."""
    error = (first + warp(second, first)).norm(dim=-3)
    return error.masked_fill(~inside(first), torch.inf)


def warp(field: Tensor, flow: Tensor) -> Tensor:
    """`field` [..., C, H, W] where `flow` [..., 2, H, W] leads: bilinear, zeros outside."""
    height, width = flow.shape[-2:]
    places = _targets(flow).reshape(-1, 2, height, width).permute(0, 2, 3, 1)
    grid = 2 * places / (places.new_tensor([width, height]) - 1).clamp(min=1) - 1
    sampled = F.grid_sample(field.reshape(-1, *field.shape[-3:]), grid, padding_mode="zeros", align_corners=True)
    return sampled.view(*flow.shape[:-3], *sampled.shape[1:])


def inside(flow: Tensor) -> Tensor:
    """Bool [..., H, W]: the flow [..., 2, H, W] leads to a place inside the frame."""
    height, width = flow.shape[-2:]
    x, y = _targets(flow).unbind(-3)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def unimatch_occluded(first: Tensor, second: Tensor, *, alpha: float = 0.01, beta: float = 0.5) -> Tensor:
    """Bool [..., H, W] on the first field's grid: UniMatch's check says that the pixel is hidden in the other frame."""
    bound = alpha * (first.norm(dim=-3) + second.norm(dim=-3)) + beta
    return (first + warp(second, first)).norm(dim=-3) > bound


def monst3r_valid(first: Tensor, second: Tensor, *, threshold: float = 3.0) -> Tensor:
    """Bool [..., H, W]: MonST3R's occlusion mask, true where the flow can be trusted. threshold in pixels."""
    error = (warp(second, first) + first).sum(-3).abs()
    return (error < threshold) & inside(first)


def dynamicverse_weights(
    forward: Tensor, *, max_error: float = 5.0, sigma: float = 1.0, quality_threshold: float = 2.0
) -> Tensor:
    """Positive weights [..., H, W] of DynamicVerse's bundle adjustment, from the forward flow alone.

    max_error, sigma, quality_threshold: pixels.
    """
    error = _smoothness_error(forward).clamp(0, max_error)
    weights = torch.exp(-error.square() / (2 * sigma**2))
    weights = torch.where(error <= quality_threshold, weights.pow(1 / 3), weights.pow(4))
    weights = torch.sigmoid(10 * (weights - 0.5)) + 0.001
    return torch.where(error <= 1, 2 * weights, weights)


def _smoothness_error(forward: Tensor) -> Tensor:
    """[..., H, W]: |f(x) - f(round(x + f))|, and |f(x)| where that leads out of the frame."""
    height, width = forward.shape[-2:]
    x, y = _targets(forward).unbind(-3)
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    columns, rows = x.round().long().clamp(0, width - 1), y.round().long().clamp(0, height - 1)
    index = (rows * width + columns).flatten(-2).unsqueeze(-2).expand(*forward.shape[:-2], height * width)
    there = forward.flatten(-2).gather(-1, index).view_as(forward) * is_inside.unsqueeze(-3)
    return (forward - there).norm(dim=-3)


def _targets(flow: Tensor) -> Tensor:
    """[..., 2, H, W]: x and y of where each pixel is led."""
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype).expand(height, width)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None].expand(height, width)
    return flow + torch.stack([x, y])
