"""The classical baseline: what one homography per frame pair does not explain of the flow is called moving.

No parameters, no training; it separates scenes that need an understanding of parallax from those that do not, which is
how the procedural benchmarks are calibrated.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from motion4d.clip import Clip, Flow, Motion
from motion4d.flow.base import FlowEstimator
from motion4d.framing import Native
from motion4d.geometry.homography import homography_residual


class HomographyResidual(nn.Module):
    """Clip -> Motion: residual flow above `threshold_px`, the larger one of both neighbours.

    sharpness: logits per pixel of residual; inlier_px, hypotheses: see geometry.homography. flow: None if clips bring
    `estimated_flow` themselves.
    """

    def __init__(
        self,
        flow: FlowEstimator | None,
        threshold_px: float = 1.0,
        *,
        sharpness: float = 4.0,
        inlier_px: float = 1.0,
        hypotheses: int = 200,
    ) -> None:
        super().__init__()
        self.flow = flow
        self.framing = Native()
        self.threshold_px = threshold_px
        self.sharpness = sharpness
        self.inlier_px = inlier_px
        self.hypotheses = hypotheses

    @torch.no_grad()
    def forward(self, clip: Clip, progress: Any = None) -> Motion:
        """Motion logits [B, N, H, W]: positive where the residual exceeds the threshold; `progress` has no effect."""
        return Motion(logits=(self.residual(clip) - self.threshold_px) * self.sharpness)

    def residual(self, clip: Clip) -> Tensor:
        """[B, N, H, W] length of the residual flow in pixels, 0 for a clip of one frame."""
        flow = clip.estimated_flow or self._estimate(clip)
        lengths = clip.images.new_zeros(len(clip.images), clip.num_frames, *clip.size)
        if clip.num_frames == 1:
            return lengths
        lengths[:, :-1] = self._lengths(flow.forward)
        if flow.backward is not None:
            lengths[:, 1:] = torch.maximum(lengths[:, 1:], self._lengths(flow.backward))
        return lengths

    def _estimate(self, clip: Clip) -> Flow:
        if self.flow is None:
            raise ValueError(
                "the homography baseline needs optical flow: give it a flow estimator (flow=dis), or clips with "
                "estimated_flow (flow=precomputed)"
            )
        return self.flow(clip)

    def _lengths(self, flow: Tensor) -> Tensor:
        """[B, M, 2, H, W] -> [B, M, H, W]."""
        residual = homography_residual(flow.flatten(0, 1).float(), inlier_px=self.inlier_px, hypotheses=self.hypotheses)
        return residual.norm(dim=1).unflatten(0, flow.shape[:2])
