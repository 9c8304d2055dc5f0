"""GeoMotion: which pixels move in the world, from a frozen geometry backbone and optical flow (Zhou et al. 2026).

The model is a composition: a backbone that offers token taps, a flow estimator, and a motion head that reads both
(motion4d.models.motion_head). It knows none of them by name. Only what a mask needs is computed: no point maps, no
poses, unless `forward_all` asks for them.

| in the released code | here |
|---|---|
| point branch computed in every step, unused | not computed |
| `freeze_backbone: false` crashes | trains end to end |
| no flow gives meaningless masks silently | an error, unless the head allows it |
| frozen layers switch to train mode with the rest | the frozen part stays in eval mode |
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from motion4d.backbones.base import Backbone
from motion4d.clip import Clip, Flow, Geometry, Motion
from motion4d.flow.base import FlowEstimator
from motion4d.framing import Framing
from motion4d.models.geomotion_weights import load_checkpoint
from motion4d.models.motion_head import MotionHead, tap_channels


class GeoMotion(nn.Module):
    """Clip -> Motion.

    head: the motion head, or a function of the backbone that builds it, where its widths follow from the backbone (in
    config a `_partial_`); flow: None if clips bring `estimated_flow` themselves; framing: (H, W) -> Framing, what the
    caller applies before and undoes after; freeze_backbone: no gradients into the backbone, which stays in eval mode.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: MotionHead | Callable[[Backbone], MotionHead],
        flow: FlowEstimator | None,
        framing: Callable[[int, int], Framing],
        *,
        freeze_backbone: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head if isinstance(head, MotionHead) else head(backbone)
        self.flow = flow
        self.framing = framing
        self.freeze_backbone = freeze_backbone
        tap_channels(backbone, self.head.taps)
        for part in self._frozen():
            part.requires_grad_(False)
        self.train(self.training)

    def forward(self, clip: Clip, progress: Any = None) -> Motion:
        """The motion logits [B, N, H, W] of a framed clip; `progress` (optimizer step) has no effect here."""
        return self.forward_all(clip)[0]

    def forward_all(
        self, clip: Clip, heads: Collection[str] = (), taps: Collection[str] = ()
    ) -> tuple[Motion, Geometry]:
        """Motion, and what else the backbone says of the clip, from one pass through its trunk.

        heads, taps: as of Backbone.forward; the geometry always carries the taps that the motion head reads.
        """
        flow = self.estimate_flow(clip)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            geometry = self.backbone(clip.images, heads=heads, taps={*self.head.taps, *taps})
        patch = self.backbone.patch_size
        grid = (clip.size[0] // patch, clip.size[1] // patch)
        logits = self.head(geometry.tokens, clip, flow, grid=grid, special=self.backbone.special_tokens)
        return Motion(logits=logits), geometry

    @torch.no_grad()
    def estimate_flow(self, clip: Clip) -> Flow | None:
        """The clip's estimated flow, or this model's estimate; None only if the head can do without."""
        flow = clip.estimated_flow
        if flow is None and self.flow is not None:
            flow = self.flow(clip)
        if flow is None:
            if self.head.needs_flow:
                raise ValueError(
                    "this motion head needs optical flow: give the model a flow estimator (flow=raft, flow=dis), "
                    "or clips with estimated_flow (flow=precomputed)"
                )
            return None
        if flow.size != clip.size or flow.forward.shape[1] != clip.num_frames - 1:
            raise ValueError(
                f"the flow is {flow.forward.shape[1]} fields of {flow.size}, but the clip has {clip.num_frames} frames "
                f"of {clip.size}: N - 1 fields at the frames' size are needed"
            )
        return flow

    def load_checkpoint(self, path: str | Path) -> None:
        """Load the published checkpoint or one of ours, strictly; see motion4d.models.geomotion_weights."""
        load_checkpoint(self, path)

    def train(self, mode: bool = True) -> Self:
        """As nn.Module.train, but the frozen parts stay in eval mode."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        parts: list[nn.Module] = [self.backbone] if self.freeze_backbone else []
        return parts + ([self.flow] if isinstance(self.flow, nn.Module) else [])
