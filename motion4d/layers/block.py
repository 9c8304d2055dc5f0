"""The pre-norm transformer block that DINOv2, Pi3 and VGGT share; what differs between them are constructor arguments.

Attribute names are the published keys (`norm1`, `attn`, `ls1.gamma`, `norm2`, `mlp.fc1`, `mlp.fc2`, `ls2.gamma`).
No dropout, no drop path: the published networks have neither at inference.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from motion4d.layers.attention import Attend, Attention, attend_plainly
from motion4d.layers.rope import Rotary


class LayerScale(nn.Module):
    """A learnt factor per channel, all `initial` at first (Touvron et al. 2021)."""

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), float(initial)))

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., dim] -> [..., dim]."""
        return tokens * self.gamma


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them; `out` channels come out (default: dim)."""

    def __init__(self, dim: int, hidden: int, out: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim if out is None else out)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., dim] -> [..., out]."""
        return self.fc2(F.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """tokens += ls1(attn(norm1(tokens))); tokens += ls2(mlp(norm2(tokens))).

    `layer_scale` is the initial value of both scales; None leaves them out (then there are no such keys).
    `gradient_checkpointing`, to be set after construction: where a gradient is needed, only the input is kept, and the
    block is computed again for it.
    """

    gradient_checkpointing = False

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        mlp_ratio: float = 4.0,
        qk_norm: bool = False,
        layer_scale: float | None = None,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = Attention(dim, heads, qk_norm=qk_norm)
        self.ls1 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.ls2 = nn.Identity() if layer_scale is None else LayerScale(dim, layer_scale)

    def forward(self, tokens: Tensor, rotary: Rotary | None = None, attend: Attend = attend_plainly) -> Tensor:
        """[B, T, dim] -> [B, T, dim]; rotary, attend: see Attention."""
        if self.gradient_checkpointing and torch.is_grad_enabled() and self._needs_gradient(tokens):
            return checkpoint(self._forward, tokens, rotary, attend, use_reentrant=False)
        return self._forward(tokens, rotary, attend)

    def _forward(self, tokens: Tensor, rotary: Rotary | None, attend: Attend) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens), rotary, attend))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))

    def _needs_gradient(self, tokens: Tensor) -> bool:
        return tokens.requires_grad or any(parameter.requires_grad for parameter in self.parameters())
