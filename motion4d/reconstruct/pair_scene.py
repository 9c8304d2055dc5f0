"""From a clip to one scene through pairs of its frames: encode, pair, look for what moves, align.

Every frame is encoded once. The pairs may come from a pair network or from a feed-forward one
(motion4d.backbones.windowed_pairs); what a feed-forward network says of overlapping groups of frames becomes one scene
in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.backbones.pairs import PairBackbone
from motion4d.backbones.windowed_pairs import WindowedPairs
from motion4d.clip import Clip, Geometry, Motion, Scene, Source
from motion4d.flow.base import FlowEstimator
from motion4d.framing import Framing
from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.poses import relative_to_first
from motion4d.geometry.projection import intrinsics_matrix, transform_points, unproject
from motion4d.reconstruct.observations import Aligned, Aligner, Dynamics, Observations
from motion4d.reconstruct.observe import observe

_DISTRUSTED = 1e-6  # confidence where an aligner says 0: the depth is known all the same
_CERTAIN = 20.0  # logit of a pixel that is said to move, or not to


class PairGraph(Protocol):
    """Config group `graph`: motion4d.reconstruct.pairs."""

    def __call__(self, frames: int, /) -> Sequence[tuple[int, int]]:
        """The ordered pairs of a clip's frames to look at."""
        ...


class PairReconstruction(nn.Module):
    """A geometry model (motion4d.models.geometry) that aligns pairs; `scene` says more than `geometry`.

    backbone: a pair network, or a feed-forward one, which sees `frames_per_pass` frames at once; framing: (H, W) ->
    Framing; flow: where `dynamics` or `aligner` need it. published_centre: cameras have MonST3R's principal point
    (W/2, H/2) instead of the middle of the image ((W-1)/2, (H-1)/2).
    """

    available_heads = frozenset({"pose", "depth", "points", "confidence"})

    def __init__(
        self,
        backbone: PairBackbone | Backbone,
        framing: Callable[[int, int], Framing],
        *,
        graph: PairGraph,
        aligner: Aligner,
        dynamics: Dynamics,
        flow: FlowEstimator | None = None,
        frames_per_pass: int = 12,
        published_centre: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.framing = framing
        self.graph = graph
        self.aligner = aligner
        self.dynamics = dynamics
        self.flow = flow
        self.frames_per_pass = frames_per_pass
        self.published_centre = published_centre
        self._pair_backbone()  # what a feed-forward backbone lacks is said now

    def geometry(self, clip: Clip, *, heads: Collection[str] = ()) -> Geometry:
        """Cameras, depth, points and confidence of one framed clip, whichever heads: none of them costs anything."""
        return self.scene(clip).geometry

    def scene(self, clip: Clip) -> Scene:
        """The consistent scene of one framed clip, in the first camera's frame, and which pixels move if anyone knows.

        A single frame is paired with itself; nobody says then what moves. A ValueError says which frames no pair
        connects, or that flow is needed and there is no estimator.
        """
        if len(clip.images) != 1:
            raise ValueError(f"a scene is made of one clip, not of a batch of {len(clip.images)}")
        images, source = clip.images[0], clip.sources[0] if clip.sources else None
        with torch.no_grad():
            if len(images) == 1:
                return Scene(_geometry_of(self._alone(images), self._centre(images)))
            seen = self._observe(images, source)
        with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            aligned = self.aligner(seen)
        motion = None if seen.moving is None else Motion(torch.where(seen.moving, _CERTAIN, -_CERTAIN)[None])
        geometry = _geometry_of(aligned, seen.principal_point)
        return Scene(geometry, motion, dict(aligned.losses), tuple(aligned.optimised))

    def _observe(self, images: Tensor, source: Source | None) -> Observations:
        return observe(
            images,
            self.graph(len(images)),
            backbone=self._pair_backbone(),
            dynamics=self.dynamics,
            flow=self.flow,
            with_flow=self.aligner.needs_flow,
            principal_point=self._centre(images),
            source=source,
        )

    def _alone(self, images: Tensor) -> Aligned:
        """What the frame paired with itself says: nothing is left to align."""
        backbone = self._pair_backbone()
        maps = backbone.decode(backbone.encode(images), [(0, 0)])
        points = maps.points_first.float()
        pose = torch.eye(4, device=images.device)[None]
        return Aligned(pose, focal_from_points(points, self._centre(images)), points[..., 2], maps.confidence_first, {})

    def _pair_backbone(self) -> PairBackbone:
        if isinstance(self.backbone, PairBackbone):
            return self.backbone
        return WindowedPairs(self.backbone, length=self.frames_per_pass)

    def _centre(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        less = 0 if self.published_centre else 1
        return torch.tensor([(width - less) / 2, (height - less) / 2], device=images.device)


def _geometry_of(aligned: Aligned, principal_point: Tensor) -> Geometry:
    """The answer of an aligner as that of a batch of one clip, with the first camera as the world."""
    poses = relative_to_first(aligned.camera_to_world[None].float())
    focal, depth = aligned.focal.float(), aligned.depth[None].float()
    intrinsics = intrinsics_matrix(focal[:, None].expand(-1, 2), principal_point.expand(len(focal), 2))[None]
    points = unproject(depth, intrinsics)
    return Geometry(
        camera_to_world=poses,
        intrinsics=intrinsics,
        points_camera=points,
        points_world=transform_points(poses, points),
        depth=depth,
        confidence=aligned.confidence[None].float().clamp_min(_DISTRUSTED),
    )
