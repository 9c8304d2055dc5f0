"""The published objective of MonST3R's global alignment (Zhang et al. 2024, section 3.3), vectorised over pairs.

total = align + smoothness * smooth + flow * flow + depth * depth_change

- align: per pair and pixel, log(confidence) times the distance between the frame's point in the world and the pair's
  point under the pair's similarity; averaged over pixels and pairs, summed over both sides.
- smooth: sum over neighbouring frames of |R - I| + translation |t| of the relative pose (Frobenius, Euclidean norm).
- flow: twice the mean smooth-L1 difference between camera flow and observed flow over static pixels; dropped while it
  is above `flow_drop_above`. (Published: both directions of every pair; for symmetric pairs that is the same number.)
- depth_change: mean squared change of log depth since the start, up to one shift per frame; moving pixels count twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.camera_flow import disparity_from_depth, plane_and_parallax
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import pixel_grid
from motion4d.reconstruct.state import AlignmentState
from motion4d.reconstruct.sums import AlignedDistance, FlowDisagreement, FlowFields, Side

CHUNK_PIXELS = 300_000  # pixels of pairs at a time: large enough to hide call overhead, small enough for the cache


@dataclass(frozen=True)
class TermWeights:
    """What the terms weigh (names: module docstring); the defaults are those of MonST3R's demo.

    translation: of the translation inside `smooth`; flow_drop_above: smooth-L1 pixels; flow_pixel_above: components of
    single pixels above it are left out. None: never.
    """

    smooth: float = 0.01
    translation: float = 1.0
    flow: float = 0.01
    depth_change: float = 0.0
    flow_drop_above: float | None = 25.0
    flow_pixel_above: float | None = 50.0


@dataclass(frozen=True)
class Terms:
    """Unweighted terms and their weighted sum, all scalars; a term that was not asked for is 0."""

    total: Tensor
    align: Tensor
    smooth: Tensor
    flow: Tensor
    depth_change: Tensor


class Objective:
    """The objective for one set of pairs; call it with a state.

    maps: pointmaps of the E pairs, all of one size; flow: flow [D, 2, H, W] of the frame pairs `flow_pairs`;
    moving [N, H, W] bool: pixels that move in the world (None: none); start_depth [N, P]: for `depth_change`;
    principal_point [2]: pixels. MonST3R uses (W / 2, H / 2).
    """

    def __init__(
        self,
        maps: PairPointmaps,
        pairs: Sequence[tuple[int, int]],
        *,
        principal_point: Tensor,
        weights: TermWeights = TermWeights(),
        flow: Tensor | None = None,
        flow_pairs: Sequence[tuple[int, int]] = (),
        moving: Tensor | None = None,
        start_depth: Tensor | None = None,
        chunk_pixels: int = CHUNK_PIXELS,
    ) -> None:
        device = maps.points_first.device
        first, second = torch.tensor(list(pairs), device=device).unbind(1)
        self.height, self.width = maps.points_first.shape[1:3]
        self.weights = weights
        self.principal_point = principal_point.to(device)
        self.sides: tuple[Side, ...] = (
            Side(channels_first(maps.points_first), log_weights(maps.confidence_first), first),
            Side(channels_first(maps.points_second), log_weights(maps.confidence_second), second),
        )
        self.pixels = pixel_grid(self.height, self.width, like=self.principal_point.float()).reshape(-1, 2).T
        self.chunk = max(1, chunk_pixels // (self.height * self.width))
        self.moving = None if moving is None else moving.flatten(1)
        self.start_log_depth = None if start_depth is None else start_depth.clamp_min(1e-6).log()
        self.fields: FlowFields | None = None
        if flow is not None:
            source, target = torch.tensor(list(flow_pairs), device=device).unbind(1)
            frames = int(torch.cat((source, target)).max()) + 1
            everything = torch.ones(frames, self.pixels.shape[1], dtype=torch.bool, device=device)
            static = everything if self.moving is None else ~self.moving
            self.fields = FlowFields(flow.flatten(2), source, target, static)

    def __call__(self, state: AlignmentState, *, with_flow: bool = True) -> Terms:
        """The terms of `state`; without `with_flow` that term is left out."""
        zero = state.log_depth.new_zeros(())
        weights = self.weights
        align = self.align(state)
        poses = state.camera_to_world
        smooth = pose_changes(poses, weights.translation).sum() if weights.smooth else zero
        flow = zero
        if with_flow and weights.flow and self.fields is not None:
            flow = self.flow(state)
            if weights.flow_drop_above is not None:
                flow = torch.where(flow > weights.flow_drop_above, flow.detach() * 0, flow)
        depth_change = zero
        if weights.depth_change and self.start_log_depth is not None:
            depth_change = change_of_depth(state.depth, self.start_log_depth, self.moving)
        total = align + weights.smooth * smooth + weights.flow * flow + weights.depth_change * depth_change
        return Terms(total, align, smooth, flow, depth_change)

    def align(self, state: AlignmentState) -> Tensor:
        """The alignment term."""
        world = self.world_points(state)
        matrix, shift = state.pair_similarities()
        sums = [AlignedDistance.apply(world, matrix, shift, side, self.chunk) for side in self.sides]
        return (sums[0] + sums[1]) / (len(matrix) * self.pixels.shape[1])

    def flow(self, state: AlignmentState) -> Tensor:
        """The flow term; needs flow."""
        assert self.fields is not None
        poses, intrinsics = state.camera_to_world, state.intrinsics(self.principal_point)
        source, target = self.fields.source, self.fields.target
        homography, parallax = plane_and_parallax(poses[source], poses[target], intrinsics[source], intrinsics[target])
        disparity = disparity_from_depth(state.depth)
        bound = self.weights.flow_pixel_above
        return 2 * FlowDisagreement.apply(disparity, homography, parallax, self.pixels, self.fields, bound, self.chunk)

    def world_points(self, state: AlignmentState) -> Tensor:
        """[N, 3, P]: depth times viewing rays, taken to the world."""
        poses = state.camera_to_world
        slopes = (self.pixels - self.principal_point[:, None]) / state.focal[:, None, None]
        rays = torch.cat((slopes, torch.ones_like(slopes[:, :1])), 1)
        return poses[:, :3, :3] @ (rays * state.depth.unsqueeze(1)) + poses[:, :3, 3:]


def channels_first(points: Tensor) -> Tensor:
    """Pointmaps [E, H, W, 3] -> [E, 3, P], without a copy if that is how they lie in memory."""
    return points.movedim(-1, 1).flatten(2)


def log_weights(confidence: Tensor) -> Tensor:
    """Confidences [E, H, W] -> alignment weights [E, P]."""
    return confidence.flatten(1).log()


def pose_changes(camera_to_world: Tensor, translation_weight: float) -> Tensor:
    """Poses [N, 4, 4] -> |R - I| + weight |t| [N-1] of the motions from each frame to the next."""
    relative = se3_inverse(camera_to_world[:-1]) @ camera_to_world[1:]
    turn = relative[:, :3, :3] - torch.eye(3, dtype=relative.dtype, device=relative.device)
    return turn.flatten(1).norm(dim=1) + translation_weight * relative[:, :3, 3].norm(dim=1)


def change_of_depth(depth: Tensor, start_log_depth: Tensor, moving: Tensor | None) -> Tensor:
    """Mean over pixels of (log depth - start + shift)^2, depth [N, P]; the shift [N] cancels the mean difference."""
    difference = depth.clamp_min(1e-6).log() - start_log_depth
    squares = (difference - difference.mean(1, keepdim=True)).square()
    return squares.mean() if moving is None else (squares * (1 + moving.to(squares.dtype))).mean()
