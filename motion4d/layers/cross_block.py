"""The decoder block of CroCo v2, DUSt3R and MonST3R: attention within one image, then across to the other.

Weinzaepfel et al., "CroCo v2", ICCV 2023. Attribute names are the published keys (`norm1`, `attn`, `norm_y`, `norm2`,
`cross_attn`, `norm3`, `mlp`). torch chooses the attention kernel; who wants to look at the attention across, or to
change it (Easi3R), passes an `attend` of their own.
"""

from __future__ import annotations

from torch import Tensor, nn

from motion4d.layers.attention import Attend, Attention, attend_plainly
from motion4d.layers.block import Mlp
from motion4d.layers.rope import Rotary


class CrossAttention(nn.Module):
    """Attention of tokens [B, T, dim] over another image's tokens [B, S, dim]."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projq = nn.Linear(dim, dim)
        self.projk = nn.Linear(dim, dim)
        self.projv = nn.Linear(dim, dim)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self, tokens: Tensor, other: Tensor, rotary: Rotary, other_rotary: Rotary, attend: Attend = attend_plainly
    ) -> Tensor:
        """[B, T, dim] -> [B, T, dim]; queries turn with their own positions, keys with the other image's."""
        query, key, value = (
            project(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project, source in ((self.projq, tokens), (self.projk, other), (self.projv, other))
        )
        mixed = attend(rotary.rotate(query), other_rotary.rotate(key), value)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class CrossBlock(nn.Module):
    """tokens += attn(norm1); tokens += cross_attn(norm2, norm_y(other)); tokens += mlp(norm3)."""

    def __init__(self, dim: int, heads: int, *, mlp_ratio: float = 4.0, norm_eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = Attention(dim, heads)
        self.norm_y = nn.LayerNorm(dim, eps=norm_eps)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.cross_attn = CrossAttention(dim, heads)
        self.norm3 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(
        self, tokens: Tensor, other: Tensor, rotary: Rotary, other_rotary: Rotary, attend: Attend = attend_plainly
    ) -> Tensor:
        """Tokens [B, T, dim] of one image and [B, S, dim] of the other -> [B, T, dim]; `attend` is used across."""
        tokens = tokens + self.attn(self.norm1(tokens), rotary)
        tokens = tokens + self.cross_attn(self.norm2(tokens), self.norm_y(other), rotary, other_rotary, attend)
        return tokens + self.mlp(self.norm3(tokens))
