"""The small transformer in front of each Pi3 head: project, a few blocks inside each frame, project.

Attribute names are the published keys (`projects`, `blocks`, `linear_out`). Its blocks have neither layer scale nor
query/key norm; RoPE is at the positions of the patch grid.
"""

from __future__ import annotations

from torch import Tensor, nn

from motion4d.layers.block import Block
from motion4d.layers.rope import grid_rotary


class TokenDecoder(nn.Module):
    """Tokens of single frames [M, special + h*w, in_dim] -> [M, special + h*w, out_dim]; frames stay apart."""

    def __init__(
        self,
        in_dim: int,
        dim: int,
        depth: int,
        heads: int,
        out_dim: int,
        *,
        mlp_ratio: float = 4.0,
        rope_base: float = 100.0,
    ) -> None:
        super().__init__()
        self.head_dim = dim // heads
        self.rope_base = rope_base
        self.projects = nn.Linear(in_dim, dim)
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio=mlp_ratio) for _ in range(depth))
        self.linear_out = nn.Linear(dim, out_dim)

    def forward(self, tokens: Tensor, grid: tuple[int, int], *, special: int = 5) -> Tensor:
        """`grid` = (h, w) patches; the first `special` tokens of each frame carry no position."""
        rotary = grid_rotary(*grid, special, self.head_dim, self.rope_base, tokens.device)
        tokens = self.projects(tokens)
        for block in self.blocks:
            tokens = block(tokens, rotary)
        return self.linear_out(tokens)
