"""One scene without any optimisation: every frame was seen beside one reference frame (MonST3R's real-time mode).

The pairs (reference, j) put every frame j's points into the reference's camera already. What is left: each pair has a
scale of its own, which the reference's own points show; cameras are found from the points and their pixels. It is meant
for cameras that move little, because every frame must share what it sees with the reference.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from motion4d.geometry.focal import focal_from_points
from motion4d.geometry.pnp import solve_pose
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import pixel_grid, transform_points
from motion4d.reconstruct.observations import Aligned, Known, Observations

_log = logging.getLogger(__name__)


class FromReference:
    """An aligner for graph=star. min_confidence: points that are less sure say nothing about cameras."""

    needs_flow = False

    def __init__(self, *, min_confidence: float = 3.0) -> None:
        self.min_confidence = min_confidence

    @torch.no_grad()
    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """See motion4d.reconstruct.observations; one focal length for all frames."""
        if known is not None and bool(known.frames.any()):
            raise ValueError("alignment=reference takes no known cameras; choose another alignment")
        reference, rows = _star(seen)
        maps = seen.maps
        own, sure = maps.points_first[rows].float(), maps.confidence_first[rows].float()
        points = maps.points_second[rows].float() * _scales(own, sure)[:, None, None, None]
        confidence = maps.confidence_second[rows].float()
        points[reference], confidence[reference] = own[0], sure[0]
        focal = focal_from_points(own[:1], seen.principal_point).expand(seen.frames)
        poses = self._poses(points, confidence, focal, seen.principal_point, reference)
        depth = transform_points(se3_inverse(poses), points)[..., 2]
        return Aligned(poses, focal, depth, confidence, {})

    def _poses(
        self, points: Tensor, confidence: Tensor, focal: Tensor, principal_point: Tensor, reference: int
    ) -> Tensor:
        """[N, 4, 4]: the identity for the reference, and for frames that show too little that is sure."""
        pixels = pixel_grid(*points.shape[1:3], like=points).reshape(-1, 2)
        poses = torch.eye(4, device=points.device).repeat(len(points), 1, 1)
        for frame in (frame for frame in range(len(points)) if frame != reference):
            part = slice(frame, frame + 1)
            weights = (confidence[part] > self.min_confidence).flatten(1).float()
            fit = solve_pose(points[part].flatten(1, 2), pixels, weights, focal[part], principal_point)
            if not fit.found[0]:
                _log.warning("frame %d has too few sure points for a pose; it gets the reference's", frame)
            poses[part] = fit.camera_to_world.float()
        return poses


def _star(seen: Observations) -> tuple[int, list[int]]:
    """The reference, and for every frame the row of its pair; the reference itself has any pair's row."""
    references = {i for i, _ in seen.pairs}
    row_of = {j: row for row, (_, j) in enumerate(seen.pairs)}
    missing = sorted(set(range(seen.frames)) - set(row_of) - references)
    if len(references) != 1 or missing:
        raise ValueError(
            f"alignment=reference needs one frame paired with all others, but here are {len(references)} such "
            f"frames{f', and nothing pairs frame {missing[0]}' if missing else ''}; choose graph=star"
        )
    reference = references.pop()
    return reference, [row_of.get(frame, 0) for frame in range(seen.frames)]


def _scales(own: Tensor, sure: Tensor) -> Tensor:
    """[N]: what every pair's points are multiplied by, so that its reference [N, H, W, 3] agrees with the first one."""
    weights = (sure * sure[:1])[..., None]
    return (weights * own * own[:1]).sum((1, 2, 3)) / (weights * own.square()).sum((1, 2, 3)).clamp_min(1e-12)
