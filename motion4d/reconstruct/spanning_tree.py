"""A first scene from pairs: the surest pairs are chained along a maximum spanning tree (DUSt3R, section 3.3).

Registering a pair to a frame that is already placed is the same as registering it to the pair that placed the frame,
and following the chain. So all registrations are independent of each other: they are solved in batches, and only 4x4
matrices are chained.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.alignment import Similarity, umeyama
from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.pnp import solve_pose
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import pixel_grid, transform_points
from motion4d.reconstruct.state import MEAN_LOG_SCALE, AlignmentState, focal_parameters, pose_parameters

log = logging.getLogger(__name__)
_AT_ONCE = 500_000  # pixels of pairs that are registered together


@dataclass(frozen=True)
class Placement:
    """Frames placed in one world, the first camera of the surest pair: points [N, H, W, 3], poses camera_to_world
    [N, 4, 4], focal [N] (pixels), confidence [N, H, W] (the best of all pairs). edges: the tree, in order of placement.
    """

    points: Tensor
    camera_to_world: Tensor
    focal: Tensor
    confidence: Tensor
    edges: list[tuple[int, int]]


@dataclass(frozen=True)
class _Step:
    """One edge of the tree: `edge` among all pairs places the frame on its side `side` (0 first, 1 second)."""

    edge: int
    side: int


@torch.no_grad()
def place_frames(
    maps: PairPointmaps,
    pairs: Sequence[tuple[int, int]],
    frames: int,
    *,
    principal_point: Tensor,
    min_confidence: float = 3.0,
) -> Placement:
    """Points, poses and focal lengths of all frames, none of them optimised.

    min_confidence: pixels below it are left out where a pose has to be found from a frame's points.
    """
    means = (side.mean((1, 2), dtype=torch.float32) for side in (maps.confidence_first, maps.confidence_second))
    scores = torch.stack(list(means)).prod(0).tolist()
    order = sorted(range(len(pairs)), key=lambda edge: -scores[edge])
    steps = _placement_steps(order, pairs)
    if len(steps) != frames - 1:
        raise ValueError(f"the pairs connect only {len(steps) + 1} of {frames} frames; choose a denser pair graph")

    placed_by: dict[int, _Step] = {pairs[steps[0].edge][0]: _Step(steps[0].edge, 0)}
    anchors = []  # for every later step, who placed its known frame
    for step in steps:
        known, new = pairs[step.edge][1 - step.side], pairs[step.edge][step.side]
        anchors.append(placed_by[known])
        placed_by[new] = step
    to_anchor = _register_sides(maps, steps[1:], anchors[1:])
    like = maps.confidence_first.new_zeros((), dtype=torch.float32)
    to_world = {steps[0].edge: torch.eye(4, device=like.device)}
    for index, (step, anchor) in enumerate(zip(steps[1:], anchors[1:], strict=True)):
        to_world[step.edge] = to_world[anchor.edge] @ to_anchor.matrix[index]

    height, width = maps.points_first.shape[1:3]
    points = torch.empty(frames, 3, height, width, device=like.device).permute(0, 2, 3, 1)
    for frame, step in placed_by.items():
        points[frame] = transform_points(to_world[step.edge], _side(maps, step.side)[0][step.edge].float())
    focal = _focals(maps, pairs, frames, order, principal_point)
    confidence = _best_confidence(maps, pairs, frames)
    poses = _poses(to_world, pairs, points, confidence > min_confidence, focal, principal_point)
    return Placement(points, poses, focal, confidence, [pairs[step.edge] for step in steps])


@torch.no_grad()
def initial_state(
    placement: Placement,
    maps: PairPointmaps,
    pairs: Sequence[tuple[int, int]],
    *,
    shared_focal: bool = True,
) -> AlignmentState:
    """The state to start the optimisation from: pairs registered to the placed frames, everything at the gauge's scale.

    shared_focal: one focal length for all frames, the mean of theirs.
    """
    first = torch.tensor([i for i, _ in pairs], device=placement.points.device)
    parts = []
    for part in _parts(len(pairs), placement.points[0, ..., 0].numel()):
        source, weights = maps.points_first[part].float(), maps.confidence_first[part].float()
        parts.append(umeyama(source.flatten(1, 2), placement.points[first[part]].flatten(1, 2), weights.flatten(1)))
    scale, rotation, shift = (
        torch.cat([getattr(fit, name) for fit in parts]) for name in ("scale", "rotation", "translation")
    )
    log_scale = scale.log()
    pair_poses = torch.cat((pose_parameters(rotation, shift / scale[:, None]), log_scale[:, None]), 1)
    gauge = (MEAN_LOG_SCALE - log_scale.mean()).exp()

    poses = placement.camera_to_world.clone()
    poses[:, :3, 3] *= gauge
    in_camera = transform_points(se3_inverse(poses), gauge * placement.points)
    log_depth = in_camera[..., 2].flatten(1).log().nan_to_num(nan=0.0, neginf=0.0)
    focal = placement.focal.mean(0, keepdim=True) if shared_focal else placement.focal
    return AlignmentState(
        log_depth, pose_parameters(poses[:, :3, :3], poses[:, :3, 3]), focal_parameters(focal), pair_poses
    )


def _placement_steps(order: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[_Step]:
    """The maximum spanning tree of the edges `order` (surest first), and which side of each edge is new when it is its
    turn: the surest edge that touches the scene so far; edges that do not touch it yet wait at the end of the line.
    """
    tree = _spanning_edges(order, pairs)
    waiting, steps = list(reversed(tree)), []
    done: set[int] = set()
    while waiting:
        edge = waiting.pop()
        i, j = pairs[edge]
        if not done or i in done:
            steps.append(_Step(edge, 1))
        elif j in done:
            steps.append(_Step(edge, 0))
        else:
            waiting.insert(0, edge)
            continue
        done |= {i, j}
    return steps


def _spanning_edges(order: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Kruskal 1956: every edge, surest first, that joins two parts. Of two directions the surer one comes first."""
    parent: dict[int, int] = {}

    def root(frame: int) -> int:
        while parent.setdefault(frame, frame) != frame:
            parent[frame] = frame = parent[parent[frame]]
        return frame

    tree = []
    for edge in order:
        a, b = (root(frame) for frame in pairs[edge])
        if a != b:
            parent[a] = b
            tree.append(edge)
    return tree


def _side(maps: PairPointmaps, side: int) -> tuple[Tensor, Tensor]:
    """Points and confidence of the first (0) or second (1) frames."""
    if side:
        return maps.points_second, maps.confidence_second
    return maps.points_first, maps.confidence_first


def _register_sides(maps: PairPointmaps, steps: Sequence[_Step], anchors: Sequence[_Step]) -> Similarity:
    """For every step, the similarity that takes its known frame's pointmap to the anchor's pointmap of that frame."""
    fits = []
    for part in _parts(len(steps), maps.confidence_first[0].numel()):
        known = [(_side(maps, 1 - step.side), step.edge) for step in steps[part]]
        source = torch.stack([points[edge] for (points, _), edge in known]).float()
        weights = torch.stack([confidence[edge] for (_, confidence), edge in known]).float()
        target = torch.stack([_side(maps, anchor.side)[0][anchor.edge] for anchor in anchors[part]]).float()
        fits.append(umeyama(source.flatten(1, 2), target.flatten(1, 2), weights.flatten(1)))
    if not fits:
        empty = maps.confidence_first.new_zeros(0, dtype=torch.float32)
        return Similarity(empty, empty.view(0, 1, 1).expand(0, 3, 3), empty.view(0, 1).expand(0, 3))
    return Similarity(
        *(torch.cat([getattr(fit, name) for fit in fits]) for name in ("scale", "rotation", "translation"))
    )


def _focals(
    maps: PairPointmaps, pairs: Sequence[tuple[int, int]], frames: int, order: Sequence[int], principal_point: Tensor
) -> Tensor:
    """[N]: from the surest pair in which the frame comes first; the mean of the others where there is none."""
    surest: dict[int, int] = {}
    for edge in order:
        surest.setdefault(pairs[edge][0], edge)
    chosen = sorted(surest)
    found = focal_from_points(maps.points_first[[surest[frame] for frame in chosen]].float(), principal_point)
    focal = found.mean().repeat(frames)
    focal[chosen] = found
    return focal


def _best_confidence(maps: PairPointmaps, pairs: Sequence[tuple[int, int]], frames: int) -> Tensor:
    """[N, H, W]: the largest confidence over all pairs."""
    best = maps.confidence_first.new_zeros(frames, *maps.confidence_first.shape[1:])
    for side, confidence in enumerate((maps.confidence_first, maps.confidence_second)):
        frame = torch.tensor([pair[side] for pair in pairs], device=best.device)
        best.scatter_reduce_(0, frame[:, None, None].expand_as(confidence), confidence, "amax")
    return best.float()


def _poses(
    to_world: dict[int, Tensor],
    pairs: Sequence[tuple[int, int]],
    points: Tensor,
    sure: Tensor,
    focal: Tensor,
    principal_point: Tensor,
) -> Tensor:
    """[N, 4, 4]: the rigid part of the tree's edges for frames that come first in one; the others from their points."""
    poses: dict[int, Tensor] = {}
    for edge, matrix in to_world.items():  # in order of placement
        pose = matrix.clone()
        pose[:3, :3] /= torch.linalg.det(matrix[:3, :3]).pow(1 / 3)
        poses.setdefault(pairs[edge][0], pose)
    rest = [frame for frame in range(len(points)) if frame not in poses]
    pixels = pixel_grid(*points.shape[1:3], like=points).reshape(-1, 2)
    for part in _parts(len(rest), len(pixels)):
        some = rest[part]
        fit = solve_pose(
            points[some].flatten(1, 2), pixels, sure[some].flatten(1).float(), focal[some], principal_point
        )
        poses |= {frame: pose for frame, pose, found in zip(some, fit.camera_to_world, fit.found, strict=True) if found}
    for frame in sorted(set(rest) - set(poses)):
        nearest = min(poses, key=lambda other: abs(other - frame))
        log.warning("frame %d has too few sure points for a pose; it starts at frame %d's", frame, nearest)
        poses[frame] = poses[nearest]
    return torch.stack([poses[frame] for frame in range(len(points))])


def _parts(count: int, pixels: int) -> list[slice]:
    size = max(1, _AT_ONCE // pixels)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
