"""A geometry model: a feed-forward backbone with its framing, from a framed clip to cameras, depth and points."""

from __future__ import annotations

from collections.abc import Callable, Collection

from torch import nn

from motion4d.backbones.base import Backbone
from motion4d.clip import Clip, Geometry
from motion4d.framing import Framing


class GeometryModel(nn.Module):
    """backbone: any feed-forward one; framing: (H, W) -> Framing, what the caller applies before and undoes after."""

    def __init__(self, backbone: Backbone, framing: Callable[[int, int], Framing]) -> None:
        super().__init__()
        self.backbone = backbone
        self.framing = framing

    @property
    def available_heads(self) -> frozenset[str]:
        """The backbone's."""
        return self.backbone.available_heads

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """What the backbone says of a framed clip; heads it lacks are a CapabilityError."""
        return self.backbone(clip.images, heads=heads)
