"""Bringing flow from a network's coarse grid to full resolution. Teed and Deng, "RAFT", ECCV 2020, section 3.3."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def convex_upsample(flow: Tensor, mask: Tensor, *, factor: int = 8) -> Tensor:
    """[P, C, h, w] flow in coarse pixels -> [P, C, factor*h, factor*w] in fine pixels.

    mask: [P, 9*factor*factor, h, w] logits. Every fine pixel is a softmax-weighted mean of its 3x3 coarse neighbours
    (row-major, zeros outside); the channel is neighbour * factor^2 + fine row * factor + fine column.
    """
    pairs, channels, height, width = flow.shape
    weights = torch.softmax(mask.reshape(pairs, 1, 9, factor, factor, height, width), dim=2)
    neighbours = F.unfold(factor * flow, kernel_size=3, padding=1).view(pairs, channels, 9, 1, 1, height, width)
    fine = flow.new_zeros(pairs, channels, factor, factor, height, width)
    for weight, neighbour in zip(weights.unbind(2), neighbours.unbind(2), strict=True):
        fine = torch.addcmul(fine, weight, neighbour)  # all nine at once would be the largest tensor of a flow network
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(pairs, channels, factor * height, factor * width)


def bilinear_upsample(flow: Tensor, *, factor: int = 8) -> Tensor:
    """[P, C, h, w] flow in coarse pixels -> [P, C, factor*h, factor*w] in fine pixels, corners aligned (published)."""
    height, width = flow.shape[-2:]
    return factor * F.interpolate(flow, (factor * height, factor * width), mode="bilinear", align_corners=True)
