"""Tracks from optical flow: a point goes where the flow leads, frame by frame, both ways from its query. No weights.

Sundaram et al., "Dense Point Trajectories by GPU-accelerated Large Displacement Optical Flow", ECCV 2010. A point shows
as long as every round trip between two frames ends near its start, inside the frame; then it counts as hidden to the
end, because the flow then follows what hides it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Flow, Tracks
from motion4d.tracks.base import check_queries


class ChainedFlow:
    """A PointTracker on any flow estimator, such as DenseInverseSearch(finest_scale=0), or on the clip's own estimate.

    alpha, beta: the round trip f + b may be sqrt(alpha (|f|^2 + |b|^2) + beta) pixels long, as in
    motion4d.flow.consistency; a larger beta keeps more points, also some that slid onto something else.
    """

    def __init__(self, flow: Callable[[Clip], Flow], *, alpha: float = 0.01, beta: float = 2.0) -> None:
        self.flow = flow
        self.alpha = alpha
        self.beta = beta

    @torch.no_grad()
    def __call__(self, clip: Clip, queries: Tensor) -> Tracks:
        """See PointTracker."""
        check_queries(clip, queries)
        flow = clip.estimated_flow or self.flow(clip)
        if flow.backward is None:
            raise ValueError("tracking needs flow in both directions, but this flow has no backward part")
        start = queries[..., 0].long()
        positions = queries[:, None, :, 1:].float().repeat(1, clip.num_frames, 1, 1)
        tracks = Tracks(positions, torch.ones_like(positions[..., 0], dtype=torch.bool))
        for t in range(clip.num_frames - 1):
            self._step(tracks, (t, t + 1), start <= t, flow.forward[:, t], flow.backward[:, t])
        for t in reversed(range(clip.num_frames - 1)):
            self._step(tracks, (t + 1, t), start >= t + 1, flow.backward[:, t], flow.forward[:, t])
        return tracks

    def _step(self, tracks: Tracks, frames: tuple[int, int], started: Tensor, there: Tensor, back: Tensor) -> None:
        """Carry the points that have `started` [B, P] from one frame to its neighbour, in place.

        there, back [B, 2, H, W]: flow on the first frame's grid, and on the second's.
        """
        here, next_ = frames
        step = _sample(there, tracks.positions[:, here])
        places = tracks.positions[:, here] + step
        shows = tracks.visibility[:, here] & self._returns(step, _sample(back, places)) & _inside(places, there)
        tracks.positions[:, next_] = torch.where(started[..., None], places, tracks.positions[:, next_])
        tracks.visibility[:, next_] = torch.where(started, shows, tracks.visibility[:, next_])

    def _returns(self, step: Tensor, back: Tensor) -> Tensor:
        """Bool [B, P]: the round trip of the displacements [B, P, 2] ends near its start."""
        lengths = step.square().sum(-1) + back.square().sum(-1)
        return (step + back).square().sum(-1) <= self.alpha * lengths + self.beta


def _inside(points: Tensor, field: Tensor) -> Tensor:
    """Bool [B, P]: points [B, P, 2] within the frames of `field` [..., H, W]."""
    height, width = field.shape[-2:]
    x, y = points.unbind(-1)
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _sample(field: Tensor, points: Tensor) -> Tensor:
    """field [B, C, H, W] at points [B, P, 2] (x, y): bilinear, the border repeated -> [B, P, C]."""
    size = points.new_tensor([field.shape[-1], field.shape[-2]])
    grid = 2 * points / (size - 1).clamp(min=1) - 1
    return F.grid_sample(field, grid[:, None], padding_mode="border", align_corners=True)[:, :, 0].transpose(1, 2)
