"""The transformer inside VGGT's tracker: attention over frames for every track, and over tracks for every frame.

Tracks exchange through a few virtual tracks, so that the cost grows with their number and not its square (CoTracker,
Karaev et al. 2023). Attribute names are the published keys, the misspelt `virual_tracks` included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motion4d.layers.block import Mlp


class UpdateTransformer(nn.Module):
    """Track states [B, N, P, width] (N frames, P tracks) -> changes [B, N, P, out]."""

    def __init__(self, width: int, dim: int, out: int, depth: int, heads: int, virtual_tracks: int) -> None:
        super().__init__()
        self.input_norm = nn.LayerNorm(width)
        self.input_transform = nn.Linear(width, dim)
        self.output_norm = nn.LayerNorm(dim)
        self.flow_head = nn.Linear(dim, out)
        self.virual_tracks = nn.Parameter(torch.randn(1, virtual_tracks, 1, dim))
        self.time_blocks = nn.ModuleList(SelfBlock(dim, heads) for _ in range(depth))
        self.space_virtual_blocks = nn.ModuleList(SelfBlock(dim, heads) for _ in range(depth))
        self.space_point2virtual_blocks = nn.ModuleList(CrossBlock(dim, heads) for _ in range(depth))
        self.space_virtual2point_blocks = nn.ModuleList(CrossBlock(dim, heads) for _ in range(depth))

    def forward(self, states: Tensor) -> Tensor:
        """See the class."""
        batch, frames, tracks, _ = states.shape
        tokens = self.input_transform(self.input_norm(states))
        virtual = self.virual_tracks.transpose(1, 2).expand(batch, frames, -1, -1)
        entered = tokens = torch.cat((tokens, virtual), dim=2)
        parts = (tracks, virtual.shape[2])
        for time, among, to_points, to_virtual in zip(
            self.time_blocks,
            self.space_virtual_blocks,
            self.space_virtual2point_blocks,
            self.space_point2virtual_blocks,
            strict=True,
        ):
            over_frames = time(tokens.transpose(1, 2).flatten(0, 1))
            tokens = over_frames.unflatten(0, (batch, sum(parts))).transpose(1, 2)
            points, virtual = tokens.flatten(0, 1).split(parts, dim=1)
            virtual = among(to_points(virtual, points))
            points = to_virtual(points, virtual)
            tokens = torch.cat((points, virtual), dim=1).unflatten(0, (batch, frames))
        return self.flow_head(self.output_norm((tokens + entered)[:, :, :tracks]))


class SelfBlock(nn.Module):
    """y = norm1(x); y += attn(y); y += mlp(norm2(y)): the residual starts from the normalised tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """[M, T, dim] -> [M, T, dim]."""
        tokens = self.norm1(tokens)
        tokens = tokens + self.attn(tokens, tokens, tokens, need_weights=False)[0]
        return tokens + self.mlp(self.norm2(tokens))


class CrossBlock(nn.Module):
    """As SelfBlock, but the tokens attend to a context with a norm of its own."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.cross_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """[M, T, dim] attending to [M, S, dim] -> [M, T, dim]."""
        tokens, context = self.norm1(tokens), self.norm_context(context)
        tokens = tokens + self.cross_attn(tokens, context, context, need_weights=False)[0]
        return tokens + self.mlp(self.norm2(tokens))
