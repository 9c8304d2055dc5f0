"""GMFlow's transformer: the features of two frames look at themselves and at each other, inside windows.

Xu et al., "GMFlow", CVPR 2022, with the windows of "Swin Transformer" (Liu et al., ICCV 2021). Attribute names are the
published keys. Maps are [2P, h, w, C], the first frames of P pairs and then the second ones, so that both are updated
at once. A map is cut into a fixed number of windows; every second layer shifts them by half a window.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TOKENS_AT_ONCE = 1024  # on the CPU: what a block computes of so many (4 MB at its widest) stays in the cache
FORBIDDEN = -100.0  # added where a shifted window wraps around the border; finite, as published


class AttentionLayer(nn.Module):
    """Attention of one head, whose answer is normed and added to the source."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(channels, channels, bias=False)
        self.k_proj = nn.Linear(channels, channels, bias=False)
        self.v_proj = nn.Linear(channels, channels, bias=False)
        self.merge = nn.Linear(channels, channels, bias=False)
        self.norm1 = nn.LayerNorm(channels)

    def forward(self, source: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """source, target [M, K*K, t, C]; mask [K*K, t, t], added to the scores -> the new source."""
        return source + self.message(source, target, mask)

    def message(self, source: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """What the target has to say to every token of the source."""
        query, key, value = self.q_proj(source), self.k_proj(target), self.v_proj(target)
        if mask is not None:
            mask = mask.to(query.dtype)
        return self.norm1(self.merge(F.scaled_dot_product_attention(query, key, value, mask)))


class FeedForwardAttention(AttentionLayer):
    """The same, and a network over [source, message]."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.mlp = nn.Sequential(
            nn.Linear(2 * channels, 8 * channels, bias=False),
            nn.GELU(),
            nn.Linear(8 * channels, channels, bias=False),
        )
        self.norm2 = nn.LayerNorm(channels)

    def forward(self, source: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """See AttentionLayer."""
        message = self.message(source, target, mask).to(source.dtype)
        return source + self.norm2(self.mlp(torch.cat([source, message], -1)))


class CrossBlock(nn.Module):
    """Attention to the own frame, then to the other one as it was before this block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.self_attn = AttentionLayer(channels)
        self.cross_attn_ffn = FeedForwardAttention(channels)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """tokens [2P, K*K, t, C]: of the first frames, then of the second ones."""
        first, second = tokens.chunk(2)
        return self.cross_attn_ffn(self.self_attn(tokens, tokens, mask), torch.cat([second, first]), mask)


class FeatureTransformer(nn.Module):
    """The blocks, one after the other; a block sees a few windows at a time, as no window reads another one."""

    def __init__(self, channels: int, *, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CrossBlock(channels) for _ in range(depth))

    def forward(self, maps: Tensor, *, splits: int) -> Tensor:
        """maps [2P, h, w, C] -> the same; splits: K, windows along each side, at least 2, which divide h and w."""
        height, width = maps.shape[1:3]
        half = (height // splits // 2, width // splits // 2)
        shifted_mask = shift_mask(height, width, splits=splits, like=maps)
        for number, layer in enumerate(self.layers):
            if number % 2 == 0:
                maps = from_windows(_by_windows(layer, to_windows(maps, splits=splits), None), height, width)
            else:
                rolled = to_windows(maps.roll((-half[0], -half[1]), (1, 2)), splits=splits)
                maps = from_windows(_by_windows(layer, rolled, shifted_mask), height, width).roll(half, (1, 2))
        return maps


def _by_windows(layer: nn.Module, tokens: Tensor, mask: Tensor | None) -> Tensor:
    """layer(tokens, mask), on the CPU for as many windows at a time as have TOKENS_AT_ONCE tokens."""
    batch, count, length, _ = tokens.shape
    size = max(1, TOKENS_AT_ONCE // (batch * length)) if tokens.device.type == "cpu" else count
    parts = (part.contiguous() for part in tokens.split(size, 1))
    masks = [None] * count if mask is None else mask.split(size)
    return torch.cat([layer(part, forbidden) for part, forbidden in zip(parts, masks, strict=False)], 1)


def to_windows(maps: Tensor, *, splits: int) -> Tensor:
    """[M, h, w, C] -> [M, K*K, h/K * w/K, C]."""
    batch, height, width, channels = maps.shape
    windows = maps.view(batch, splits, height // splits, splits, width // splits, channels)
    return windows.transpose(2, 3).reshape(batch, splits * splits, -1, channels)


def from_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of to_windows."""
    batch, count, _, channels = windows.shape
    splits = math.isqrt(count)
    parts = windows.view(batch, splits, splits, height // splits, width // splits, channels)
    return parts.transpose(2, 3).reshape(batch, height, width, channels)


def shift_mask(height: int, width: int, *, splits: int, like: Tensor) -> Tensor:
    """[K*K, t, t]: FORBIDDEN between tokens of a shifted window that are no neighbours in the map, else 0."""
    rows, columns = _regions(height, splits, like), _regions(width, splits, like)
    labels = (3 * rows[:, None] + columns).view(1, height, width, 1)
    windows = to_windows(labels, splits=splits)[0, :, :, 0]
    return FORBIDDEN * (windows[:, :, None] != windows[:, None, :]).to(like.dtype)


def add_position_code(maps: Tensor, *, splits: int) -> Tensor:
    """maps [M, h, w, C] plus the sine code of a window, which is the same in all of them."""
    height, width, channels = maps.shape[1:]
    code = position_code(height // splits, width // splits, channels, like=maps)
    return maps + code.repeat(splits, splits, 1)


def position_code(height: int, width: int, channels: int, *, like: Tensor) -> Tensor:
    """[h, w, C]: half of the channels for the row, half for the column, sines and cosines by turns."""
    rows, columns = (_axis_code(side, channels // 2, like) for side in (height, width))
    size = (height, width, channels // 2)
    return torch.cat([rows[:, None].expand(size), columns[None].expand(size)], -1)


def _axis_code(length: int, features: int, like: Tensor) -> Tensor:
    """[length, features]."""
    places = torch.arange(1, length + 1, device=like.device, dtype=torch.float32) / (length + 1e-6) * (2 * math.pi)
    number = torch.arange(features, device=like.device, dtype=torch.float32)
    angles = places[:, None] / 10000 ** (2 * (number / 2).floor() / features)
    return torch.where(number % 2 == 0, angles.sin(), angles.cos())


def _regions(length: int, splits: int, like: Tensor) -> Tensor:
    """[length]: 0, 1 or 2: what a shifted window at the end of an axis must not mix."""
    window = length // splits
    places = torch.arange(length, device=like.device)
    return (places >= length - window).long() + (places >= length - window // 2).long()
