"""Multi-head attention with the keys of nn.MultiheadAttention (one packed projection), batch first, fused."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PackedAttention(nn.Module):
    """Queries [B, T, dim], keys and values [B, S, dim] -> [B, T, dim]; dropout: of attention weights, in training."""

    def __init__(self, dim: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{dim} channels cannot be divided among {heads} attention heads")
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *, keys: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """keys [B, S] bool: which are looked at; causal: position t sees no later one."""
        if query is key:  # one product for both
            split = query.shape[-1] * 2
            projected = F.linear(query, self.in_proj_weight[:split], self.in_proj_bias[:split]).chunk(2, -1)
            q, k = projected
            v = F.linear(value, self.in_proj_weight[split:], self.in_proj_bias[split:])
        else:
            weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
            q, k, v = (F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))
        mask = None if keys is None else keys[:, None, None]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))
