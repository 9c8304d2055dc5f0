"""Looking at an attention, and keeping the static world from reading what moves (Easi3R, Chen et al. 2025).

How much a key is looked at, before the softmax: the mean over all queries of q k / sqrt(d). It is the mean query's
logit, so no matrix of all queries and keys is made, and the attention itself stays fused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.layers.attention import attend_plainly


class KeyAttention:
    """An `Attend` that keeps the mean logits of the keys of every call (of one layer after the other).

    moving_queries [B, T], moving_keys [B, S] bool: static queries get nothing from moving keys, whose weights are set
    to zero after the softmax; the others keep theirs. None: plain attention.
    """

    def __init__(self, moving_queries: Tensor | None = None, moving_keys: Tensor | None = None) -> None:
        self.kept: list[Tensor] = []
        self.moving_queries = moving_queries
        self.moving_keys = moving_keys

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries [B, heads, T, d], keys and values [B, heads, S, d] -> [B, heads, T, d]."""
        mean_query = query.float().mean(2, keepdim=True) * query.shape[-1] ** -0.5
        self.kept.append((mean_query @ key.float().mT).squeeze(2))
        plain = attend_plainly(query, key, value)
        if self.moving_queries is None or self.moving_keys is None:
            return plain
        static = attend_plainly(query, key, value * ~self.moving_keys[:, None, :, None])
        return torch.where(self.moving_queries[:, None, :, None], plain, static)

    def maps(self, grid: tuple[int, int]) -> Tensor:
        """What was kept, [B, h, w, layers * heads], layer by layer."""
        return torch.stack(self.kept, 1).flatten(1, 2).unflatten(-1, grid).permute(0, 2, 3, 1)
