"""Tracks by a backbone's own track head (VGGT): all frames at once, no flow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from motion4d.clip import Clip, Tracks
from motion4d.framing import Framing
from motion4d.tracks.base import check_queries


class TrackingBackbone(Protocol):
    """A network such as motion4d.backbones.vggt.VGGT that was built with a track head."""

    def track_features(self, images: Tensor) -> Tensor:
        """Images [B, N, 3, H, W] -> what `track` takes, once per clip."""
        ...

    def load_weights(self, path: str | Path) -> None:
        """Load a published file."""
        ...

    def track(self, features: Tensor, points: Tensor, *, frame: int = 0) -> Any:
        """Points [B, P, 2] of one frame -> positions [iterations, B, N, P, 2], visibility and confidence [B, N, P]."""
        ...


class LearnedTracker:
    """A PointTracker on a backbone with a track head.

    framing: (H, W) -> Framing, how clips become the network's input; min_visibility, min_confidence: a point shows
    where the head's scores in [0, 1] both reach these. weights: a published file, read at the first clip at the latest;
    None: the backbone stays what it is.
    """

    def __init__(
        self,
        backbone: TrackingBackbone,
        framing: Callable[[int, int], Framing],
        *,
        min_visibility: float = 0.5,
        min_confidence: float = 0.2,
        weights: str | Path | None = None,
    ) -> None:
        self.backbone = backbone
        self.framing = framing
        self.min_visibility = min_visibility
        self.min_confidence = min_confidence
        self._unread_weights = weights

    def read_weights(self) -> None:
        """Read the file now, if there is one that was not read; a FileNotFoundError says what brings it."""
        if self._unread_weights is None:
            return
        path = Path(self._unread_weights)
        if not path.is_file():
            raise FileNotFoundError(
                f"the tracker's weights are not at {path}; `python -m prepare.weights {path.parent.name}` brings them, "
                "or choose tracker=chained_flow, which needs none"
            )
        self.backbone.load_weights(path)
        self._unread_weights = None

    @torch.no_grad()
    def __call__(self, clip: Clip, queries: Tensor) -> Tracks:
        """See PointTracker. The images pass the network once; each frame that has queries, the track head once."""
        check_queries(clip, queries)
        self.read_weights()
        framing = self.framing(*clip.size)
        features = self.backbone.track_features(framing.images(clip.images))
        points = framing.points(queries[..., 1:].float())
        positions = queries.new_zeros(len(queries), clip.num_frames, queries.shape[1], 2, dtype=torch.float32)
        visibility = torch.zeros(positions.shape[:3], dtype=torch.bool, device=queries.device)
        start = queries[..., 0].long()
        for frame in start.unique().tolist():
            said = self.backbone.track(features, points, frame=frame)
            here = (start == frame)[:, None]
            shows = (said.visibility >= self.min_visibility) & (said.confidence >= self.min_confidence)
            positions = torch.where(here[..., None], framing.undo_points(said.positions[-1]), positions)
            visibility = torch.where(here, shows, visibility)
        own = torch.arange(clip.num_frames, device=queries.device)[:, None] == start[:, None]
        positions = torch.where(own[..., None], queries[:, None, :, 1:].float(), positions)
        return Tracks(positions, visibility | own)
