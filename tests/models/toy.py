"""A backbone that is not Pi3, and clips for it: small enough for any test."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.clip import Clip, Flow, Geometry

WIDTHS = {"shallow": 8, "deep": 12, "cameras": 4}


class ToyBackbone(Backbone):
    """Patch averages through one linear map per tap, two special tokens of zeros; dropout shows its mode."""

    patch_size = 8
    special_tokens = 2

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleDict({name: nn.Linear(3, width) for name, width in WIDTHS.items()})
        self.dropout = nn.Dropout(0.5)

    @property
    def available_taps(self) -> dict[str, int]:
        """Three taps."""
        return WIDTHS

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """Tokens only."""
        self.check_request(images, heads, taps)
        patches = nn.functional.avg_pool2d(images.flatten(0, 1), self.patch_size).flatten(2).transpose(1, 2)
        patches = self.dropout(nn.functional.pad(patches, (0, 0, self.special_tokens, 0)))
        return Geometry(tokens={tap: self.maps[tap](patches).unflatten(0, images.shape[:2]) for tap in taps})


def toy_clip(batch: int = 1, frames: int = 3, height: int = 16, width: int = 24, *, flow: bool = True) -> Clip:
    """Random images, masks and (on request) estimated flow."""
    field = torch.randn(batch, max(frames - 1, 0), 2, height, width)
    return Clip(
        torch.rand(batch, frames, 3, height, width),
        motion=torch.rand(batch, frames, height, width) > 0.7,
        estimated_flow=Flow(5 * field, -5 * field) if flow else None,
    )
