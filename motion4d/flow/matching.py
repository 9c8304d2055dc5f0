"""Flow by comparing features, and spreading flow among pixels whose features are alike.

Xu et al., "GMFlow", CVPR 2022, sections 3.2 and 3.3. Maps are [P, h, w, C], flow is [P, 2, h, w] in pixels of the map.
A score is <a, b> / sqrt(C); everything is float32. Windows are row-major, unlike RAFT's. Comparisons of all pixels with
all pixels run in chunks of rows, in bounded memory.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.flow.correlation import pixel_grid


def match_globally(first: Tensor, second: Tensor, *, memory_limit: int) -> Tensor:
    """[2P, 2, h, w]: where the pixels of `first` are in `second`, then the reverse; each score is computed once.

    A pixel goes to the mean of all places, weighted by the softmax of its scores. The reverse softmax runs along the
    chunks, so its sums are kept relative to the largest score so far. memory_limit: bytes of scores at a time.
    """
    pairs, height, width, channels = first.shape
    places = pixel_grid(height, width, like=first).flatten(1).T
    query, key = first.flatten(1, 2), second.flatten(1, 2).transpose(1, 2) / math.sqrt(channels)
    rows = _rows_at_a_time(pairs * len(places), memory_limit)
    forward = []
    largest = query.new_full((pairs, len(places)), -torch.inf)
    total, moment = torch.zeros_like(largest), query.new_zeros(pairs, len(places), 2)
    for part, origin in zip(query.split(rows, 1), places.split(rows), strict=True):
        scores = part @ key
        forward.append(scores.softmax(-1) @ places)
        grown = torch.maximum(largest, scores.amax(1))
        weights, decay = (scores - grown[:, None]).exp_(), (largest - grown).exp()
        total = total * decay + weights.sum(1)
        moment = moment * decay[..., None] + weights.transpose(1, 2) @ origin
        largest = grown
    target = torch.cat([torch.cat(forward, 1), moment / total[..., None]])
    return (target - places).transpose(1, 2).unflatten(2, (height, width))


def match_locally(first: Tensor, second: Tensor, *, radius: int) -> Tensor:
    """[P, 2, h, w]: the mean of the offsets in a window around each pixel, weighted by the softmax of their scores."""
    height, width = first.shape[1:3]
    scores = window_scores(first, second, radius=radius)
    inside = window_scores(*first.new_ones(2, 1, height, width, 1), radius=radius) > 0
    reach = torch.arange(-radius, radius + 1, device=first.device, dtype=torch.float32)
    offsets = torch.stack([reach.repeat(len(reach)), reach.repeat_interleave(len(reach))], -1)
    return (scores.masked_fill(~inside, -1e9).softmax(-1) @ offsets).permute(0, 3, 1, 2)


def window_scores(first: Tensor, second: Tensor, *, radius: int) -> Tensor:
    """[P, h, w, (2r+1)^2]: scores of each pixel with a window around its place; 0 outside the map."""
    height, width, channels = first.shape[1:]
    padded = F.pad(second, (0, 0, radius, radius, radius, radius))
    scaled = first / math.sqrt(channels)
    side = range(2 * radius + 1)
    return torch.stack([(scaled * padded[:, y : y + height, x : x + width]).sum(-1) for y in side for x in side], -1)


class FlowPropagation(nn.Module):
    """Flow spreads from where it was found to pixels with like features, with two learned projections."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)

    def everywhere(self, features: Tensor, flow: Tensor, *, memory_limit: int) -> Tensor:
        """Every pixel takes the mean of the whole map's flow. The key is a projection of the query (published so)."""
        query = self.q_proj(features)
        key = self.k_proj(query).flatten(1, 2).float().transpose(1, 2) / math.sqrt(features.shape[-1])
        query, values = query.flatten(1, 2).float(), flow.flatten(2).transpose(1, 2)
        rows = _rows_at_a_time(key.shape[0] * key.shape[2], memory_limit)
        mixed = [(part @ key).softmax(-1) @ values for part in query.split(rows, 1)]
        return torch.cat(mixed, 1).transpose(1, 2).unflatten(2, flow.shape[2:])

    def nearby(self, features: Tensor, flow: Tensor) -> Tensor:
        """Every pixel takes the mean of its 3x3 neighbours' flow; zeros beyond the border take part (published so)."""
        scores = window_scores(self.q_proj(features).float(), self.k_proj(features).float(), radius=1)
        neighbours = F.unfold(flow, 3, padding=1).view(len(flow), 2, 9, *flow.shape[2:])
        return (neighbours * scores.softmax(-1).permute(0, 3, 1, 2)[:, None]).sum(2)


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """maps [P, C, h, w] looked up where `flow` [P, 2, h, w] leads: bilinear, zeros outside."""
    height, width = maps.shape[-2:]
    step = flow.new_tensor([2 / (width - 1), 2 / (height - 1)])  # one pixel on grid_sample's scale
    positions = (pixel_grid(height, width, like=flow) + flow).permute(0, 2, 3, 1)
    return F.grid_sample(maps, positions * step - 1, padding_mode="zeros", align_corners=True)


def _rows_at_a_time(row: int, memory_limit: int) -> int:
    """Rows of `row` float32 numbers of which three copies fit."""
    return max(1, memory_limit // (12 * row))
