"""Global alignment: a spanning tree's first scene, made better by an optimiser, as config group `alignment` offers it.

Optimisers are interchangeable: `RobustLeastSquares` (ours), `PublishedDescent` (MonST3R's objective and Adam), and
either of them in windows (`InWindows`).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.poses import relative_to_first
from motion4d.geometry.projection import transform_points, unproject
from motion4d.reconstruct.cleaning import without_floaters
from motion4d.reconstruct.known_frames import joined
from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.optimise import Optimiser
from motion4d.reconstruct.spanning_tree import initial_state, place_frames

_LEAST, _MOST = 1e-3, 10.0  # confidences are kept within these multiples of a typical one


class GlobalAlignment:
    """An aligner (motion4d.reconstruct.observations); the world is the first camera's frame, or that of known frames.

    min_confidence: pixels below it are left out where a pose must be found from a frame's points. shared_focal: one
    focal length for all frames. clean: points that hide a surer frame's points by more than this share of the depth
    lose their confidence; None: all keep it.
    """

    def __init__(
        self,
        optimise: Optimiser,
        *,
        shared_focal: bool = True,
        min_confidence: float = 3.0,
        clean: float | None = 0.001,
    ) -> None:
        self.optimise = optimise
        self.shared_focal = shared_focal
        self.min_confidence = min_confidence
        self.clean = clean

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.optimise.needs_flow

    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """See `Aligner`. A ValueError says if nothing connects some frames, or if pairs say nothing."""
        seen = _sane(seen)
        if seen.frames == 1:
            return _single(seen)
        placed = place_frames(
            seen.maps,
            seen.pairs,
            seen.frames,
            principal_point=seen.principal_point,
            min_confidence=self.min_confidence,
        )
        state = initial_state(placed, seen.maps, seen.pairs, shared_focal=self.shared_focal)
        held = None
        if known is not None and bool(known.frames.any()):
            state, held = joined(state, placed, known, seen.principal_point)
        state, losses = self.optimise(seen, state, held)
        poses, focal = state.camera_to_world, state.focal
        depth = state.depth.view_as(placed.confidence)
        if held is None:
            poses = relative_to_first(poses)
        if not all(tensor.isfinite().all() for tensor in (poses, focal, depth)):
            raise ValueError(
                "the alignment did not stay finite; check the pairs' pointmaps, or choose alignment=robust"
            )
        confidence = placed.confidence
        if self.clean is not None:
            intrinsics = state.intrinsics(seen.principal_point)
            points = transform_points(poses, unproject(depth, intrinsics))
            confidence = without_floaters(confidence, depth, points, poses, intrinsics, tolerance=self.clean)
        return Aligned(poses, focal.clone(), depth, confidence, losses, ("depth", "poses", "focal", "pairs"))


def _sane(seen: Observations) -> Observations:
    """Without pairs that say nothing; what is not finite has hardly any confidence, and none has far too much."""
    sides = []
    useful = torch.ones(len(seen.pairs), dtype=torch.bool, device=seen.maps.confidence_first.device)
    for points, confidence in (
        (seen.maps.points_first, seen.maps.confidence_first),
        (seen.maps.points_second, seen.maps.confidence_second),
    ):
        good = points.isfinite().all(-1) & confidence.isfinite() & (confidence > 0)
        points = torch.where(good[..., None], points, 0)
        spread = points.float().flatten(1, 2).std(1).amax(-1)
        useful &= (good.flatten(1).sum(1) >= 16) & (spread > 0)
        sides.append((points, torch.where(good, confidence, 0)))
    if not bool(useful.any()):
        raise ValueError("no pair of frames has finite points with positive confidence; check the network's weights")
    means = torch.stack([confidence.float().flatten(1).mean(1) for _, confidence in sides]).nan_to_num(posinf=3e38)
    typical = float(means[:, useful].median())
    points_first, points_second = (points[useful].movedim(-1, 1).contiguous().movedim(1, -1) for points, _ in sides)
    bounded = [confidence[useful].clamp(_LEAST * typical, _MOST * typical) for _, confidence in sides]
    maps = PairPointmaps(points_first, bounded[0], points_second, bounded[1])
    pairs = tuple(pair for pair, use in zip(seen.pairs, useful.tolist(), strict=True) if use)
    return replace(seen, maps=maps, pairs=pairs)


def _single(seen: Observations) -> Aligned:
    """One frame paired with itself: the mean of what its pairs say."""
    maps = seen.maps
    weights = torch.cat((maps.confidence_first, maps.confidence_second)).float()
    points = torch.cat((maps.points_first, maps.points_second)).float()
    mean = (weights[..., None] * points).sum(0) / weights.sum(0)[..., None]
    focal = focal_from_points(mean, seen.principal_point)
    depth = mean[..., 2].clamp_min(1e-6)
    if not (depth.isfinite().all() and focal.isfinite() and focal > 0):
        raise ValueError("the single frame's points lead to no focal length; check the network's weights")
    return Aligned(torch.eye(4, device=depth.device)[None], focal[None], depth[None], weights.amax(0)[None], {})
