"""A new scene joined to frames whose cameras, and perhaps depth and focal lengths, are known."""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.alignment import Similarity, robust_umeyama
from motion4d.geometry.poses import nearest_rotation, se3
from motion4d.geometry.projection import intrinsics_matrix, transform_points, unproject
from motion4d.reconstruct.observations import Known
from motion4d.reconstruct.optimise import Frozen
from motion4d.reconstruct.spanning_tree import Placement
from motion4d.reconstruct.state import AlignmentState, focal_parameters, pose_parameters

_MOST_POINTS = 50_000  # that join the two


def joined(
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
