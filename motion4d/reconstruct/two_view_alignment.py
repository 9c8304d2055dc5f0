"""Two frames need no optimisation: cameras and depths follow from the pointmaps of the pair (DUSt3R, MonST3R)."""

from __future__ import annotations

import torch

from motion4d.geometry.poses import se3_inverse
from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.two_views import two_views


class TwoViewAlignment:
    """Config `alignment=two_views`: an aligner of exactly two frames; the first camera is the world.

    min_confidence: only pixels that one direction is surer of give the second camera's pose.
    """

    needs_flow = False

    def __init__(self, *, min_confidence: float = 3.0) -> None:
        self.min_confidence = min_confidence

    @torch.no_grad()
    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """Nothing is free, so nothing can be known before: a ValueError, as for more or fewer frames than two."""
        if seen.frames != 2 or set(seen.pairs) != {(0, 1), (1, 0)}:
            raise ValueError(
                f"alignment=two_views is made for two frames and both directions between them, not for {seen.frames} "
                f"frames in {len(seen.pairs)} pairs; choose another alignment, or max_frames=2"
            )
        if known is not None and bool(known.frames.any()):
            raise ValueError("alignment=two_views takes no known cameras; choose another alignment")
        views = two_views(
            seen.maps, seen.pairs, principal_point=seen.principal_point, min_confidence=self.min_confidence
        )
        pair = list(seen.pairs[0])  # the sides of the pair in the order of the frames
        focal, depth = (torch.empty_like(values[0]) for values in (views.focal, views.depth))
        poses = torch.empty_like(views.camera_to_world[0])
        focal[pair], depth[pair], poses[pair] = views.focal[0], views.depth[0], views.camera_to_world[0]
        order = [seen.pairs.index((0, 1)), seen.pairs.index((1, 0))]
        confidence = torch.maximum(seen.maps.confidence_first[order], seen.maps.confidence_second[order[::-1]])
        return Aligned(se3_inverse(poses[:1]) @ poses, focal, depth, confidence.float(), {})
