"""Cameras and depths of two frames from the two pointmaps that a pair network gives of each, for many pairs at once.

The surer direction of a pair (by the product of its mean confidences) gives the world, its first camera, and both
depths; the other camera is found from its pixels and its points in that world (DUSt3R's two-image viewer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.pnp import solve_pose
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import pixel_grid, transform_points
from motion4d.reconstruct.pairs import are_symmetric

_AT_ONCE = 300_000  # pixels of pairs whose poses are solved together
_LEAST_FOCAL = 0.05  # of the longer side: garbage must not make a camera of no focal length; at most the inverse


@dataclass(frozen=True)
class TwoViews:
    """Of M frame pairs (i, j): pairs [M, 2]; focal [M, 2] in pixels; camera_to_world [M, 2, 4, 4], one of the two is
    the identity; depth [M, 2, H, W].
    """

    pairs: Tensor
    focal: Tensor
    camera_to_world: Tensor
    depth: Tensor


@torch.no_grad()
def two_views(
    maps: PairPointmaps,
    pairs: Sequence[tuple[int, int]],
    *,
    principal_point: Tensor,
    min_confidence: float = 3.0,
) -> TwoViews:
    """Every pair (i, j) of the first half by itself; the second half must be the reversed pairs in the same order.

    min_confidence: only pixels that one of the two directions is surer of than that give the pose.
    """
    if not are_symmetric(pairs):
        raise ValueError("two-view cameras need symmetric pairs: the second half must be the first one reversed")
    half = len(pairs) // 2
    height, width = maps.points_first.shape[1:3]
    size = max(1, _AT_ONCE // (height * width))
    parts = [
        _solve(maps, slice(start, min(start + size, half)), half, principal_point, min_confidence)
        for start in range(0, half, size)
    ]
    focal, poses, depth = (torch.cat(part) for part in zip(*parts, strict=True))
    return TwoViews(torch.tensor(list(pairs[:half]), device=focal.device), focal, poses, depth)


def _solve(
    maps: PairPointmaps, forward: slice, half: int, principal_point: Tensor, min_confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Focal lengths [m, 2], poses [m, 2, 4, 4] and depths [m, 2, H, W] of the pairs `forward`."""
    backward = slice(forward.start + half, forward.stop + half)
    own = torch.stack((maps.points_first[forward], maps.points_first[backward]), 1).float()  # i in i, j in j
    other = torch.stack((maps.points_second[backward], maps.points_second[forward]), 1).float()  # i in j, j in i
    own_confidence = torch.stack((maps.confidence_first[forward], maps.confidence_first[backward]), 1).float()
    other_confidence = torch.stack((maps.confidence_second[backward], maps.confidence_second[forward]), 1).float()
    least = _LEAST_FOCAL * max(own.shape[2:4])
    focal = focal_from_points(own, principal_point).clamp(least, least / _LEAST_FOCAL**2)

    mean_own, mean_other = own_confidence.mean((2, 3)), other_confidence.mean((2, 3))
    first_leads = mean_own[:, 0] * mean_other[:, 1] > mean_own[:, 1] * mean_other[:, 0]
    rows = torch.arange(len(focal), device=focal.device)
    follower = first_leads.long()  # the side that is seen from the other's camera
    sure = torch.maximum(own_confidence, other_confidence)[rows, follower] > min_confidence
    seen = other[rows, follower]
    pixels = pixel_grid(*seen.shape[1:3], like=seen).reshape(-1, 2)
    fit = solve_pose(seen.flatten(1, 2), pixels, sure.flatten(1).float(), focal[rows, follower], principal_point)

    poses = torch.eye(4, device=seen.device).expand(len(seen), 2, 4, 4).clone()
    poses[rows, follower] = fit.camera_to_world
    depth = own[..., 2].clone()
    depth[rows, follower] = transform_points(se3_inverse(fit.camera_to_world), seen)[..., 2]
    return focal, poses, depth
