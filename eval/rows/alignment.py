"""Rows of the global alignment: one iteration of MonST3R's complete objective, and a whole alignment of ours.

The spec's setting is --frames 16 --size 288x512 --threads 1, where the pair graph has 110 pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from eval.rows.base import Row, Setting, Work

if TYPE_CHECKING:
    from motion4d.reconstruct.objective import Objective
    from motion4d.reconstruct.observations import Observations
    from motion4d.reconstruct.state import AlignmentState


def observations(setting: Setting) -> Observations:
    """A wavy wall that a sliding camera sees, with noise of one percent on every pair's points; MonST3R's graph."""
    from motion4d.backbones.pairs import PairPointmaps
    from motion4d.geometry.camera_flow import camera_flow, disparity_from_depth, plane_and_parallax
    from motion4d.geometry.poses import se3_inverse
    from motion4d.geometry.projection import intrinsics_matrix, pixel_grid, transform_points, unproject
    from motion4d.reconstruct.observations import Observations
    from motion4d.reconstruct.pairs import sliding

    frames, height, width = setting.frames, setting.height, setting.width
    generator = torch.Generator().manual_seed(0)
    centre = torch.tensor([width / 2, height / 2])
    intrinsics = intrinsics_matrix(torch.full((frames, 2), 0.9 * width), centre.expand(frames, 2))
    u, v = pixel_grid(height, width, like=centre).unbind(-1)
    depth = (3 + (u / width * 9).sin() + (v / height * 7).cos()).expand(frames, -1, -1)
    poses = torch.eye(4).repeat(frames, 1, 1)
    poses[:, 0, 3] = torch.linspace(0, 0.5, frames)
    pairs = sliding(frames)
    first, second = torch.tensor(pairs).unbind(1)
    points = unproject(depth, intrinsics)

    def said(exact: Tensor) -> Tensor:
        noise = 1 + 0.01 * torch.randn(exact.shape[:-1], generator=generator)[..., None]
        return (exact * noise).movedim(-1, 1).contiguous().movedim(1, -1)

    in_first = transform_points(se3_inverse(poses[first]) @ poses[second], points[second])
    confidence = 2 + 8 * torch.rand(2, len(pairs), height, width, generator=generator)
    maps = PairPointmaps(said(points[first]), confidence[0], said(in_first), confidence[1])
    motion = plane_and_parallax(poses[first], poses[second], intrinsics[first], intrinsics[second])
    flow = camera_flow(disparity_from_depth(depth[first]), *motion)
    return Observations(frames, tuple(pairs), maps, centre, flow, tuple(pairs))


def _iteration(setting: Setting, *, total: Callable[[Objective, AlignmentState], Tensor]) -> Work:
    from motion4d.reconstruct.objective import Objective
    from motion4d.reconstruct.spanning_tree import initial_state, place_frames

    seen = observations(setting)
    centre = seen.principal_point
    placed = place_frames(seen.maps, seen.pairs, seen.frames, principal_point=centre)
    state = initial_state(placed, seen.maps, seen.pairs)
    objective = Objective(seen.maps, seen.pairs, principal_point=centre, flow=seen.flow, flow_pairs=seen.flow_pairs)
    parameters = [parameter.requires_grad_() for parameter in state.parameters()]

    @torch.enable_grad()
    def work() -> tuple[Tensor, ...]:
        return torch.autograd.grad(total(objective, state), parameters)

    return work


def _closed(objective: Objective, state: AlignmentState) -> Tensor:
    return objective(state).total


def _plain(objective: Objective, state: AlignmentState) -> Tensor:
    """The same number, all pairs at once, left to autograd."""
    from motion4d.geometry.camera_flow import EPSILON, disparity_from_depth, plane_and_parallax
    from motion4d.reconstruct.objective import pose_changes

    world, (matrix, shift) = objective.world_points(state), state.pair_similarities()
    align = world.new_zeros(())
    for side in objective.sides:
        apart = world[side.frame] - matrix @ side.points - shift[..., None]
        align = align + (apart.norm(dim=1) * side.weights).mean()
    fields, poses, intrinsics = objective.fields, state.camera_to_world, state.intrinsics(objective.principal_point)
    assert fields is not None
    source, target = fields.source, fields.target
    plane, parallax = plane_and_parallax(poses[source], poses[target], intrinsics[source], intrinsics[target])
    homogeneous = torch.cat((objective.pixels, torch.ones_like(objective.pixels[:1])))
    places = plane @ homogeneous + parallax[..., None] * disparity_from_depth(state.depth)[source, None]
    error = (places[:, :2] / (places[:, 2:] + EPSILON) - objective.pixels - fields.flow).abs()
    flow = 2 * torch.where(error < 1, 0.5 * error.square(), error - 0.5).mean()
    return align + 0.01 * pose_changes(poses, 1.0).sum() + 0.01 * flow


def _whole(setting: Setting) -> Work:
    from motion4d.reconstruct.alignment import GlobalAlignment
    from motion4d.reconstruct.least_squares import RobustLeastSquares

    seen, aligner = observations(setting), GlobalAlignment(RobustLeastSquares())
    return lambda: aligner(seen)


ROWS = {
    "alignment": Row(
        {
            "one iteration, all pairs at once, autograd": partial(_iteration, total=_plain),
            "one iteration, closed form": partial(_iteration, total=_closed),
        }
    ),
    "alignment_whole": Row({"robust least squares": _whole}),
}
