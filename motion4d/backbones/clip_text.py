"""CLIP's text transformer (Radford et al. 2021): its blocks, under the published key names."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.layers.packed_attention import PackedAttention


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return x * torch.sigmoid(1.702 * x)


class TextBlock(nn.Module):
    """Causal self-attention and a perceptron, each after a norm and beside a shortcut."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attn = PackedAttention(dim, heads)
        self.ln_1 = nn.LayerNorm(dim)
        layers = (("c_fc", nn.Linear(dim, 4 * dim)), ("gelu", QuickGELU()), ("c_proj", nn.Linear(4 * dim, dim)))
        self.mlp: Any = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, dim] -> the same."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, causal=True)
        return x + self.mlp(self.ln_2(x))


class TextTransformer(nn.Module):
    """The blocks, initialised as published."""

    def __init__(self, dim: int, heads: int, layers: int) -> None:
        super().__init__()
        blocks = [TextBlock(dim, heads) for _ in range(layers)]
        self.resblocks = nn.ModuleList(blocks)
        deep = dim**-0.5 * (2 * layers) ** -0.5
        for block in blocks:
            nn.init.normal_(block.attn.in_proj_weight, std=dim**-0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=deep)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * dim) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=deep)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, dim] -> the same."""
        for block in self.resblocks:
            x = block(x)
        return x
