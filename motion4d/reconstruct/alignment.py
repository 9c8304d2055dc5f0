"""Global alignment: a spanning tree's first scene, made better by an optimiser, as config group `alignment` offers it.

Optimisers are interchangeable: `RobustLeastSquares` (ours), `PublishedDescent` (MonST3R's objective and Adam), and
either of them in windows (`InWindows`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.alignment import Similarity, robust_umeyama
from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.poses import nearest_rotation, relative_to_first, se3
from motion4d.geometry.projection import intrinsics_matrix, transform_points, unproject
from motion4d.reconstruct.cleaning import without_floaters
from motion4d.reconstruct.objective import Objective, TermWeights
from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.optimise import Descent, Frozen, descend
from motion4d.reconstruct.spanning_tree import Placement, initial_state, place_frames
from motion4d.reconstruct.state import AlignmentState, focal_parameters, pose_parameters
from motion4d.reconstruct.windows import window_plan

_LEAST, _MOST = 1e-3, 10.0  # confidences are kept within these multiples of a typical one
_MOST_POINTS = 50_000  # that join a new scene to a known one


class Optimiser(Protocol):
    """Makes a state better; `held` stays as it is."""

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        ...

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The better state and final values by name."""
        ...


@dataclass(frozen=True)
class PublishedDescent:
    """MonST3R's objective and Adam, exactly; the defaults are those of its demo."""

    weights: TermWeights = TermWeights()
    descent: Descent = Descent()

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.weights.flow > 0

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The state after the last step; `loss` and `flow` before it."""
        maps = replace(
            seen.maps,
            confidence_first=seen.maps.confidence_first.clamp_min(1),
            confidence_second=seen.maps.confidence_second.clamp_min(1),
        )
        objective = Objective(
            maps,
            seen.pairs,
            principal_point=seen.principal_point,
            weights=self.weights,
            flow=seen.flow if seen.flow_pairs else None,
            flow_pairs=seen.flow_pairs,
            moving=seen.moving,
            start_depth=start.depth if self.weights.depth_change else None,
        )
        state, history = descend(objective, start, self.descent, held)
        return state, {"loss": history.losses[-1], "flow": history.flow[-1]} if history.losses else {}


@dataclass(frozen=True)
class InWindows:
    """Overlapping windows of frames, one after the other: the overlap stays as the window before has left it.

    Focal lengths are free in the first window, and in all of them if every frame has its own. Frozen frames fix the
    scale of every window but the first, so only there is the pairs' mean scale held. Pairs that the window before has optimised go on from there. size, overlap: frames; a clip that is shorter is one window.
    """

    optimise: Optimiser
    size: int = 100
    overlap: int = 50

    def __post_init__(self) -> None:
        window_plan(1, self.size, self.overlap)

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.optimise.needs_flow

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The state after all windows; values are those of the last one."""
        state = start.copy()
        state.pair_poses[:, 7], state.mean_log_scale = state.log_scales(), None
        for window in window_plan(seen.frames, self.size, self.overlap):
            part, chosen = _window(seen, window.frames)
            local = state.window(window.frames, chosen)
            first = window.free == window.start
            still = torch.arange(window.start, window.stop, device=local.poses.device) < window.free
            focals, depth = not first and len(state.focals) == 1, True
            if held is not None:
                still, focals, depth = (
                    still | held.frames[window.frames],
                    focals or held.focals,
                    held.depth or not first,
                )
            if first and not bool(still.any()):
                local.mean_log_scale = float(local.log_scales().mean())
            local, losses = self.optimise(part, local, Frozen(still, focals, depth))
            state.log_depth[window.frames], state.poses[window.frames] = local.log_depth, local.poses
            if len(state.focals) == 1:
                state.focals = local.focals
            else:
                state.focals[window.frames] = local.focals
            state.pair_poses[chosen] = torch.cat((local.pair_poses[:, :7], local.log_scales()[:, None]), 1)
        return state, losses


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
            state, held = _joined(state, placed, known, seen.principal_point)
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


def _window(seen: Observations, frames: slice) -> tuple[Observations, Tensor]:
    """What is seen of some frames alone, and which of the pairs that are [E] bool."""

    def within(pair: tuple[int, int]) -> bool:
        return all(frames.start <= frame < frames.stop for frame in pair)

    def shifted(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((i - frames.start, j - frames.start) for i, j in pairs if within((i, j)))

    device = seen.maps.confidence_first.device
    chosen = torch.tensor([within(pair) for pair in seen.pairs], device=device)
    fields = torch.tensor([within(pair) for pair in seen.flow_pairs], dtype=torch.bool, device=device)
    part = Observations(
        frames.stop - frames.start,
        shifted(seen.pairs),
        seen.maps._map(lambda tensor: tensor[chosen]),
        seen.principal_point,
        None if seen.flow is None else seen.flow[fields],
        shifted(seen.flow_pairs),
        None if seen.moving is None else seen.moving[frames],
    )
    return part, chosen


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


def _joined(
    state: AlignmentState, placed: Placement, known: Known, principal_point: Tensor
) -> tuple[AlignmentState, Frozen]:
    """The state moved to the known frames' world, with what is known in its place."""
    frames = known.frames.to(state.poses.device)
    state = state.copy()
    poses, true = state.camera_to_world, known.camera_to_world.to(state.poses)
    if known.focal is not None:
        given = known.focal.to(state.focals)[frames]
        if len(state.focals) == 1:
            state.focals = focal_parameters(given.mean()[None])
        else:
            state.focals[frames] = focal_parameters(given)
    turn = nearest_rotation((true[frames, :3, :3] @ poses[frames, :3, :3].mT).sum(0))
    scale = poses.new_ones(())
    if known.depth is not None:
        scale = (known.depth.to(poses)[frames] / state.depth[frames].view_as(known.depth[frames])).median()
    elif int(frames.sum()) > 1:
        spread = [(pose[frames, :3, 3] - pose[frames, :3, 3].mean(0)).norm() for pose in (true, poses)]
        scale = torch.where(spread[1] > 0, spread[0] / spread[1], scale)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    shift = (true[frames, :3, 3] - scale * poses[frames, :3, 3] @ turn.mT).mean(0)
    move = Similarity(scale, turn, shift)
    if known.depth is not None:
        move = _by_points(state, placed, known, principal_point)
    matrix, offset = state.pair_similarities()
    pair_scale = state.log_scales() + move.scale.log()
    rotation = move.rotation @ (matrix / state.log_scales().exp()[:, None, None])
    pair_shift = move.apply(offset) / pair_scale.exp()[:, None]
    state.pair_poses = torch.cat((pose_parameters(rotation, pair_shift), pair_scale[:, None]), 1)
    moved = move.move_cameras(poses)
    state.poses = pose_parameters(moved[:, :3, :3], moved[:, :3, 3])
    state.poses[frames] = pose_parameters(true[frames, :3, :3], true[frames, :3, 3])
    state.log_depth = state.log_depth + move.scale.log()
    if known.depth is not None:
        state.log_depth[frames] = known.depth.to(state.log_depth)[frames].flatten(1).clamp_min(1e-6).log()
    state.mean_log_scale = None
    return state, Frozen(frames, focals=known.focal is not None, depth=known.depth is not None)


def _by_points(state: AlignmentState, placed: Placement, known: Known, principal_point: Tensor) -> Similarity:
    """From the state's world to that of the frames whose depth is known."""
    assert known.depth is not None
    frames = known.frames.to(state.poses.device)
    depth = known.depth.to(state.log_depth)[frames]
    focal = state.focal[frames, None].expand(-1, 2)
    intrinsics = intrinsics_matrix(focal, principal_point.to(focal).expand_as(focal))
    ours = unproject(state.depth[frames].view_as(depth), intrinsics)
    theirs = unproject(depth, intrinsics)
    true = known.camera_to_world.to(state.poses)[frames]
    source = transform_points(state.camera_to_world[frames], ours).reshape(-1, 3)
    target = transform_points(se3(true[:, :3, :3], true[:, :3, 3]), theirs).reshape(-1, 3)
    weights = placed.confidence[frames].flatten()
    step = max(1, len(weights) // _MOST_POINTS)
    parts = (part[::step].double() for part in (source, target, weights, depth.flatten().clamp_min(1e-6)))
    source, target, weights, unit = parts
    fit = robust_umeyama(source, target, weights, unit=unit)
    return Similarity(*(part.to(state.poses) for part in (fit.scale, fit.rotation, fit.translation)))
