"""Positions of a map that look at each other and at the words of a sentence (CRIS's decoder)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from motion4d.layers.packed_attention import PackedAttention


class DecoderLayer(nn.Module):
    """Self-attention, attention to the words, a perceptron; each between two norms and beside a shortcut."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn_norm = nn.LayerNorm(dim)
        self.cross_attn_norm = nn.LayerNorm(dim)
        self.self_attn = PackedAttention(dim, heads, dropout=dropout)
        self.multihead_attn = PackedAttention(dim, heads, dropout=dropout)
        self.ffn = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, dim),
        )
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, place: Tensor, word_keys: Tensor, words: Tensor, are_words: Tensor) -> Tensor:
        """x [B, T, dim], place [T, dim]; word_keys (with their places), words [B, L, dim], are_words [B, L] bool."""
        y = self.norm1(x)
        placed = y + place
        x = x + self.dropout(self.self_attn_norm(self.self_attn(placed, placed, y)))
        y = self.norm2(x) + place
        x = x + self.dropout(self.cross_attn_norm(self.multihead_attn(y, word_keys, words, keys=are_words)))
        return x + self.dropout(self.ffn(self.norm3(x)))


class Decoder(nn.Module):
    """A map [B, dim, h, w] -> the same, having read. word_width: of the words, projected where it is not `dim`."""

    def __init__(
        self, dim: int, word_width: int, *, layers: int = 3, heads: int = 8, hidden: int = 1024, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.word_proj = nn.Linear(word_width, dim) if word_width != dim else nn.Identity()

    def forward(self, maps: Tensor, words: Tensor, are_words: Tensor) -> Tensor:
        """words [B, L, word_width]; are_words [B, L] bool."""
        size = (maps.shape[-2], maps.shape[-1])
        words = self.word_proj(words)
        dim = words.shape[-1]
        place = _map_places(size, dim, maps.device)
        word_keys = words + _places(words.shape[1], dim, maps.device)
        x = maps.flatten(2).mT
        for layer in self.layers:
            x = layer(x, place, word_keys, words, are_words)
        return self.norm(x).mT.unflatten(2, size)


@lru_cache(32)
@torch.inference_mode(False)
def _places(length: int, dim: int, device: torch.device) -> Tensor:
    """Sines (even channels) and cosines (odd ones) [length, dim]."""
    rate = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10000.0) / dim))
    angles = torch.arange(length, device=device)[:, None] * rate
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)


@lru_cache(32)
@torch.inference_mode(False)
def _map_places(size: tuple[int, int], dim: int, device: torch.device) -> Tensor:
    """Columns in the first half of the channels, rows in the second [h * w, dim], row by row."""
    height, width = size
    columns = _places(width, dim // 2, device).expand(height, width, -1)
    rows = _places(height, dim // 2, device)[:, None].expand(height, width, -1)
    return torch.cat((columns, rows), -1).flatten(0, 1)
