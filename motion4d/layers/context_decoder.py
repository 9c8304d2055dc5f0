"""A few query tokens that read a long context: cross-attention blocks without self-attention (Pi3X's metric token).

Attribute names are the published keys.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.block import Mlp
from motion4d.layers.rope import Rotary


class ContextDecoder(nn.Module):
    """Queries [B, Q, in_dim] and a context [B, T, in_dim] -> [B, Q, dim]."""

    def __init__(self, in_dim: int, dim: int, depth: int, heads: int, *, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.projects_x = nn.Linear(in_dim, dim)
        self.projects_y = nn.Linear(in_dim, dim)
        self.blocks = nn.ModuleList(_CrossBlock(dim, heads, mlp_ratio) for _ in range(depth))
        self.linear_out = nn.Linear(dim, dim)

    def forward(self, queries: Tensor, context: Tensor, rotary: Rotary) -> Tensor:
        """rotary: of the context's positions; queries are at (0, 0)."""
        queries, context = self.projects_x(queries), self.projects_y(context)
        for block in self.blocks:
            queries = block(queries, context, rotary)
        return self.linear_out(queries)


class _CrossBlock(nn.Module):
    """x += cross(norm2(x), norm_y(context)); x += mlp(norm3(x))."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.norm_y = nn.LayerNorm(dim, eps=1e-6)
        self.cross_attn = _CrossAttention(dim, heads)
        self.norm3 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, queries: Tensor, context: Tensor, rotary: Rotary) -> Tensor:
        """[B, Q, dim] -> [B, Q, dim]."""
        queries = queries + self.cross_attn(self.norm2(queries), self.norm_y(context), rotary)
        return queries + self.mlp(self.norm3(queries))


class _CrossAttention(nn.Module):
    """Attention of queries to a context; only the context's keys turn with their positions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, queries: Tensor, context: Tensor, rotary: Rotary) -> Tensor:
        """[B, Q, dim] -> [B, Q, dim]."""
        query, key, value = (
            project(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, tokens in ((self.q_proj, queries), (self.k_proj, context), (self.v_proj, context))
        )
        mixed = F.scaled_dot_product_attention(query, rotary.rotate(key), value)
        return self.proj(mixed.transpose(1, 2).flatten(2))
