"""PAGE-4D: VGGT for dynamic scenes (2025).

A small mask head looks at the tokens once, after one frame block of the trunk. In later global blocks it makes the
camera and register queries look more at some patches and less at others: their attention logits get the bias
gate * mask, so that moving things need not disturb the cameras. Patch queries, and with them the geometry, are left
alone. With strength 0 everything equals VGGT with the same weights, bit for bit.

The published files: `checkpoint_nomask.pt` (the mask helped only early in training: strength 0, recommended) and
`checkpoint_mask.pt` (strength 1).

Token taps: VGGT's, and `mask`: the bias of every token as a key, before the gate: one channel, in (-0.5, 0.5) for
patches (larger is looked at more) and 0 for special tokens.

| deviation from the released code | why |
|---|---|
| special queries attend in a call of their own, with a bias | there: eight more channels per head for all queries |
| strength 0 skips the mask head | there: computed, unused, and frozen for good |
| layers are arguments | there: literals, wrong for any other depth |
| one patch per frame: its deviation counts as 0 | there: NaN |
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.vggt import VGGT
from motion4d.backbones.vggt_aggregator import plain_attention
from motion4d.backbones.vggt_prediction import VGGTPrediction, geometry_of
from motion4d.clip import Geometry, check_shape
from motion4d.io.weights import load_strict, read_state_dict
from motion4d.layers.attention import Attend, attend_plainly

_log = logging.getLogger(__name__)
_MASK_PREFIX = "aggregator.spatial_mask_head."


def mask_alpha(step: int, hold: int, end: int) -> float:
    """The mask's strength in training: 1 before `hold`, 0 from `end` on, a half cosine between; hold = end = 0: off."""
    if step < hold:
        return 1.0
    if step >= end:
        return 0.0
    return 0.5 * (1 + math.cos(math.pi * (step - hold) / (end - hold)))


class SpatialMaskHead(nn.Module):
    """Patch tokens [M, h*w, dim] -> mask [M, h*w] in (-0.5, 0.5); the key is the published one (`head0`)."""

    def __init__(self, dim: int, hidden: int = 256) -> None:
        super().__init__()
        self.head0 = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1, groups=dim),
            nn.GELU(),
            nn.Conv2d(dim, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, patches: Tensor, grid: tuple[int, int]) -> Tensor:
        """`grid` = (h, w); channels are normalised per image over its patches (unbiased deviation)."""
        correction = int(patches.shape[1] > 1)
        deviation = patches.std(dim=1, correction=correction, keepdim=True)
        normalised = (patches - patches.mean(dim=1, keepdim=True)) / deviation.clamp(min=1e-6)
        logits = self.head0(normalised.transpose(1, 2).unflatten(2, grid)).flatten(1)
        return (logits + normalised.mean(dim=-1).detach()).sigmoid() - 0.5


class Page4D(VGGT):
    """PAGE-4D; the defaults are the published network (1.19 billion parameters), and VGGT's arguments go on to it.

    mask: how strongly the mask acts unless a call says otherwise: "off" (0), "on" (1), or a number between.
    mask_layer: the mask head reads the tokens after this layer's frame block. mask_layers: the first and last layer
    whose global block is biased. mask_gate: the bias spans +-mask_gate / 2 at full strength.
    """

    def __init__(
        self,
        *,
        mask: str | float = "off",
        mask_layer: int = 9,
        mask_layers: tuple[int, int] = (10, 19),
        mask_gate: float = 64.0,
        **vggt: Any,
    ) -> None:
        super().__init__(**vggt)
        first, last = mask_layers
        if not 0 <= mask_layer < first <= last < self.aggregator.depth:
            raise ValueError(
                f"the mask is made in layer {mask_layer} and acts in layers {first} to {last}; that must be layers of "
                f"0 to {self.aggregator.depth - 1}, in this order"
            )
        self.mask_strength = strength_of(mask)
        self.mask_layer = mask_layer
        self.biased = range(first, last + 1)
        self.mask_gate = mask_gate
        self.aggregator.spatial_mask_head = SpatialMaskHead(self.aggregator.dim)

    @property
    def available_taps(self) -> dict[str, int]:
        """Tap name -> channels."""
        return {"mask": 1} | super().available_taps

    def load_weights(self, path: str | Path) -> None:
        """Load a published file of PAGE-4D, or of VGGT (then the mask head stays as it is), strictly otherwise."""
        state = self.own_part(read_state_dict(path))
        if state.keys() & self.state_dict().keys() and not any(key.startswith(_MASK_PREFIX) for key in state):
            _log.info("%s has no mask head (a VGGT file?); it starts untrained", path)
            state |= {key: value for key, value in self.state_dict().items() if key.startswith(_MASK_PREFIX)}
        load_strict(self, state, source=path)

    def forward(
        self,
        images: Tensor,
        *,
        heads: Collection[str] = (),
        taps: Collection[str] = (),
        strength: float | None = None,
    ) -> Geometry:
        """As VGGT.forward; strength: of the mask in [0, 1], None: as constructed."""
        said = self.predict(images, heads=heads, taps=taps, strength=strength)
        return geometry_of(said, images)

    def predict(
        self,
        images: Tensor,
        *,
        heads: Collection[str] = (),
        taps: Collection[str] = (),
        strength: float | None = None,
    ) -> VGGTPrediction:
        """As VGGT.predict; strength: of the mask in [0, 1], None: as constructed."""
        check_shape("images", images, "B N 3 H W")
        self.check_request(images, heads, taps)
        grid = self._grid(images)
        strength = self.mask_strength if strength is None else strength_of(strength)
        guide = _Guide(self, grid, strength)
        trunk_taps = [tap for tap in taps if tap != "mask"]
        if "mask" in taps:
            trunk_taps.append(f"decoder_{self.mask_layer}")
        attention = guide if strength or "mask" in taps else plain_attention
        tokens: Mapping[str, Tensor] = self._tokens(images, heads, trunk_taps, attention)
        if "mask" in taps:
            tokens = {**tokens, "mask": guide.keys.unsqueeze(-1)}
        return self._answer(tokens, grid, heads, taps)


class _Guide:
    """One forward's mask: made in its layer, and then how the biased global blocks attend."""

    def __init__(self, network: Page4D, grid: tuple[int, int], strength: float) -> None:
        self.network = network
        self.grid = grid
        self.gate = network.mask_gate * strength
        self.keys = torch.empty(0)  # [B, N, special + h*w], the bias of every key before the gate

    def __call__(self, layer: int, tokens: Tensor) -> Attend:
        """See GlobalAttention."""
        special = self.network.special_tokens
        if layer == self.network.mask_layer:
            patches = tokens.detach()[:, :, special:].flatten(0, 1)
            mask = self.network.aggregator.get_submodule("spatial_mask_head")(patches, self.grid)
            self.keys = F.pad(mask, (special, 0)).unflatten(0, tokens.shape[:2])
        return self._attend if self.gate and layer in self.network.biased else attend_plainly

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Special queries with the bias, patch queries without, all frames' tokens as keys."""
        frames = self.keys.shape[1]
        split = (self.network.special_tokens, self.keys.shape[2] - self.network.special_tokens)
        special, patches = query.unflatten(2, (frames, -1)).split(split, dim=3)
        bias = (self.gate * self.keys.flatten(1)).to(query.dtype)[:, None, None, :]
        bias = bias.expand(-1, 1, frames * split[0], -1)
        looked = F.scaled_dot_product_attention(special.flatten(2, 3), key, value, attn_mask=bias)
        plain = F.scaled_dot_product_attention(patches.flatten(2, 3), key, value)
        parts = (part.unflatten(2, (frames, -1)) for part in (looked, plain))
        return torch.cat(tuple(parts), dim=3).flatten(2, 3)


def strength_of(mask: str | float) -> float:
    """ "off" -> 0, "on" -> 1, a number in [0, 1] as it is (YAML's bare on and off arrive as booleans)."""
    strength = {"off": 0.0, "on": 1.0}.get(mask, -1.0) if isinstance(mask, str) else float(mask)
    if not 0 <= strength <= 1:
        raise ValueError(f"the mask's strength is off, on, or a number from 0 to 1, not {mask}")
    return strength
