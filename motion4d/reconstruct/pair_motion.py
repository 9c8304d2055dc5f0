"""MonST3R's (or Easi3R's) masks by themselves: which pixels move, without a scene around them.

What it takes to say what moves: pairs of frames, and `dynamics`. Cameras are those of every pair by itself; nothing is
aligned. So the masks can be scored and predicted as those of GeoMotion are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.backbones.pairs import PairBackbone
from motion4d.backbones.windowed_pairs import WindowedPairs
from motion4d.clip import Clip, Motion, Source
from motion4d.flow.base import FlowEstimator
from motion4d.framing import Framing
from motion4d.reconstruct.observations import Dynamics
from motion4d.reconstruct.observe import observe

_CERTAIN = 20.0  # logit of a pixel that is said to move, or not to


class PairMotion(nn.Module):
    """Clip -> Motion: logits of 20 where `dynamics` says that a pixel moves, of -20 elsewhere.

    backbone: a pair network, or a feed-forward one, which sees `frames_per_pass` frames at once; framing: (H, W) ->
    Framing, what the caller applies before and undoes after; graph: the pairs of so many frames; flow: where `dynamics`
    needs it. A clip of one frame is static.
    """

    def __init__(
        self,
        backbone: PairBackbone | Backbone,
        framing: Callable[[int, int], Framing],
        *,
        graph: Callable[[int], Sequence[tuple[int, int]]],
        dynamics: Dynamics,
        flow: FlowEstimator | None = None,
        frames_per_pass: int = 12,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.framing = framing
        self.graph = graph
        self.dynamics = dynamics
        self.flow = flow
        self.frames_per_pass = frames_per_pass
        if isinstance(flow, nn.Module):
            flow.requires_grad_(False)  # it brings its own weights

    @torch.no_grad()
    def forward(self, clip: Clip, progress: Any = None) -> Motion:
        """The motion logits [B, N, H, W] of a framed clip; `progress` has no effect."""
        sources = clip.sources or (None,) * len(clip.images)
        moving = [self._moving(images, source) for images, source in zip(clip.images, sources, strict=True)]
        return Motion(torch.where(torch.stack(moving), _CERTAIN, -_CERTAIN))

    def _moving(self, images: Tensor, source: Source | None) -> Tensor:
        """[N, H, W] bool of one clip's frames [N, 3, H, W]."""
        moving = None
        if len(images) > 1:
            moving = observe(
                images,
                self.graph(len(images)),
                backbone=self._pair_backbone(),
                dynamics=self.dynamics,
                flow=self.flow,
                with_maps=False,
                source=source,
            ).moving
        return torch.zeros_like(images[:, 0], dtype=torch.bool) if moving is None else moving

    def _pair_backbone(self) -> PairBackbone:
        if isinstance(self.backbone, PairBackbone):
            return self.backbone
        return WindowedPairs(self.backbone, length=self.frames_per_pass)
