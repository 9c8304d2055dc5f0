"""Which pixels move: where observed flow and the flow that the cameras explain disagree (MonST3R, section 3.3).

Per pair of frames and direction the disagreement |camera flow - observed flow| is scaled to [0, 1]; a pixel moves where
the mean over all pairs of its frame is above a threshold. Scaled like that, the largest error of a pair is always 1,
even where nothing moves; so a moving pixel must also be off by a number of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.camera_flow import camera_flow, disparity_from_depth, plane_and_parallax
from motion4d.geometry.projection import intrinsics_matrix
from motion4d.reconstruct.two_views import TwoViews


@torch.no_grad()
def moving_pixels(
    views: TwoViews,
    forward: Tensor,
    backward: Tensor,
    frames: int,
    *,
    principal_point: Tensor,
    threshold: float = 0.35,
    floor_px: float = 1.0,
) -> Tensor:
    """Bool [N, H, W]: pixels that move in the world.

    forward, backward [M, 2, H, W]: observed flow i -> j and j -> i of the M pairs of `views`. floor_px: a moving
    pixel's mean disagreement must exceed it; 0 is the published rule. A frame without pairs has no moving pixels.
    """
    height, width = views.depth.shape[-2:]
    scaled = forward.new_zeros(frames, height, width)
    absolute, counts = torch.zeros_like(scaled), forward.new_zeros(frames)
    for side, flow in enumerate((forward, backward)):
        error = flow_disagreement(views, flow, side, principal_point)
        frame = views.pairs[:, side]
        low, high = error.amin((1, 2), keepdim=True), error.amax((1, 2), keepdim=True)
        scaled.index_add_(0, frame, ((error - low) / (high - low)).nan_to_num(0.0))
        absolute.index_add_(0, frame, error)
        counts += torch.bincount(frame, minlength=frames)
    counts = counts.clamp_min(1)[:, None, None]
    return (scaled / counts > threshold) & (absolute / counts > floor_px)


def flow_disagreement(views: TwoViews, flow: Tensor, side: int, principal_point: Tensor) -> Tensor:
    """|camera flow - flow| [M, H, W] in pixels, from the frames on `side` (0 or 1) of the pairs to their partners."""
    focal = views.focal.to(flow).unsqueeze(-1).expand(-1, -1, 2)
    intrinsics = intrinsics_matrix(focal, principal_point.to(focal).expand_as(focal))
    there = 1 - side
    homography, parallax = plane_and_parallax(
        views.camera_to_world[:, side], views.camera_to_world[:, there], intrinsics[:, side], intrinsics[:, there]
    )
    explained = camera_flow(disparity_from_depth(views.depth[:, side]), homography, parallax)
    return (explained - flow).norm(dim=1)
