"""Multi-head self-attention as in DINOv2, Pi3 and VGGT: fused qkv, optional norm of queries and keys, optional RoPE.

Attribute names are the published keys (`qkv`, `q_norm`, `k_norm`, `proj`). torch chooses the attention kernel. A
network that attends in another way (PAGE-4D's biased queries, Pi3X's poses) passes its own `attend`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.layers.rope import Rotary

# queries, keys, values, all [B, heads, T, head_dim] -> mixed values of the same shape
Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def attend_plainly(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q k' / sqrt(head_dim)) v, [B, heads, T, head_dim]."""
    return F.scaled_dot_product_attention(query, key, value)


class Attention(nn.Module):
    """Self-attention of tokens [B, T, dim]; `qk_norm` adds LayerNorms over the head dimension, shared by the heads."""

    def __init__(self, dim: int, heads: int, *, qk_norm: bool = False) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels cannot be divided among {heads} attention heads")
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.q_norm = nn.LayerNorm(self.head_dim, eps=1e-5) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(self.head_dim, eps=1e-5) if qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, rotary: Rotary | None = None, attend: Attend = attend_plainly) -> Tensor:
        """[B, T, dim] -> [B, T, dim]; `rotary` holds T positions, or fewer that repeat (one frame's, for N frames)."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = self.q_norm(query), self.k_norm(key)
        if rotary is not None:
            query, key = rotary.rotate(query), rotary.rotate(key)
        # under autocast a norm may have answered in float32
        mixed = attend(query.to(value.dtype), key.to(value.dtype), value)
        return self.proj(mixed.transpose(1, 2).flatten(2))
