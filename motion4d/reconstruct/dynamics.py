"""Which pixels move: where observed flow and the flow that the cameras explain disagree (MonST3R, section 3.3).

Per pair of frames and direction the disagreement |camera flow - observed flow| is scaled to [0, 1]; a pixel moves where
the mean over all pairs of its frame is above a threshold. Scaled like that, the largest error of a pair is always 1,
even where nothing moves; so a moving pixel must also be off by a number of pixels. And where a network's cameras are
wrong everything seems to move: they can be fitted to the flow, robustly, before the two are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from motion4d.geometry.camera_flow import camera_flow, disparity_from_depth, plane_and_parallax
from motion4d.geometry.pnp import solve_pose
from motion4d.geometry.projection import intrinsics_matrix, pixel_grid, unproject
from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.two_views import TwoViews, two_views

_AT_ONCE = 1_000_000  # pixels of pairs that are compared together
_FITTED = 4000  # pixels of a pair that its camera is fitted to
_EXPLAINED = 1.0  # pixels: flow that differs by more counts as not explained, however far off


class FlowDynamics:
    """Config `dynamics=flow`: what the cameras of every pair by itself do not explain of the flow.

    threshold, floor_px, fit_cameras: of `moving_pixels`; floor_px=0 without fit_cameras is the published rule.
    min_confidence: of `two_views`.
    """

    needs_flow = True
    needs_maps = True

    def __init__(
        self,
        threshold: float = 0.35,
        floor_px: float = 1.0,
        *,
        fit_cameras: bool = True,
        min_confidence: float = 3.0,
    ) -> None:
        if not 0 <= threshold < 1:
            raise ValueError(f"the threshold of a disagreement that is scaled to [0, 1] cannot be {threshold}")
        if floor_px < 0:
            raise ValueError(f"floor_px is a number of pixels, 0 for none, not {floor_px}")
        self.threshold = threshold
        self.floor_px = floor_px
        self.fit_cameras = fit_cameras
        self.min_confidence = min_confidence

    @torch.no_grad()
    def __call__(self, seen: Observations, backbone: object, frames: object) -> Observations:
        """The pairs must be symmetric, and all of their flow must be there; a ValueError otherwise."""
        half = len(seen.pairs) // 2
        rows = {pair: row for row, pair in enumerate(seen.flow_pairs)}
        if seen.flow is None or not rows.keys() >= set(seen.pairs):
            raise ValueError(
                "dynamics=flow compares the flow of all pairs with their cameras, but there is no such flow"
            )
        order = torch.tensor([rows[pair] for pair in seen.pairs], device=seen.flow.device)
        with torch.autocast(seen.flow.device.type, enabled=False):  # cameras need all digits
            views = two_views(
                seen.maps, seen.pairs, principal_point=seen.principal_point, min_confidence=self.min_confidence
            )
            moving = moving_pixels(
                views,
                seen.flow[order[:half]],
                seen.flow[order[half:]],
                seen.frames,
                principal_point=seen.principal_point,
                threshold=self.threshold,
                floor_px=self.floor_px,
                fit_cameras=self.fit_cameras,
            )
        return replace(seen, moving=moving)


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
    fit_cameras: bool = False,
) -> Tensor:
    """Bool [N, H, W]: pixels that move in the world.

    forward, backward [M, 2, H, W]: observed flow i -> j and j -> i of the M pairs of `views`. floor_px: a moving
    pixel's mean disagreement must exceed it; 0 is the published rule. fit_cameras: where others explain
    the flow of more pixels than those of `views`, they are taken. A frame without pairs has no moving pixels.
    """
    height, width = views.depth.shape[-2:]
    scaled = torch.zeros(frames, height, width, device=forward.device)
    absolute, counts = torch.zeros_like(scaled), scaled.new_zeros(frames)
    for part in _parts(len(views.pairs), height * width):
        some = TwoViews(views.pairs[part], views.focal[part], views.camera_to_world[part], views.depth[part])
        for side, flow in enumerate((forward[part].float(), backward[part].float())):
            error = flow_disagreement(some, flow, side, principal_point)
            if fit_cameras:
                fitted = flow_disagreement(
                    fitted_to_flow(some, flow, side, principal_point), flow, side, principal_point
                )
                better = _unexplained(fitted) < _unexplained(error)
                error = torch.where(better[:, None, None], fitted, error)
            frame = some.pairs[:, side]
            low, high = error.amin((1, 2), keepdim=True), error.amax((1, 2), keepdim=True)
            scaled.index_add_(0, frame, ((error - low) / (high - low)).nan_to_num(0.0))
            absolute.index_add_(0, frame, error)
            counts += torch.bincount(frame, minlength=frames)
    counts = counts.clamp_min(1)[:, None, None]
    return (scaled / counts > threshold) & (absolute / counts > floor_px)


def flow_disagreement(views: TwoViews, flow: Tensor, side: int, principal_point: Tensor) -> Tensor:
    """|camera flow - flow| [M, H, W] in pixels, from the frames on `side` (0 or 1) of the pairs to their partners.

    At most the image's diagonal: a depth of nearly 0 must not make everything else look small.
    """
    focal = views.focal.to(flow).unsqueeze(-1).expand(-1, -1, 2)
    intrinsics = intrinsics_matrix(focal, principal_point.to(focal).expand_as(focal))
    there = 1 - side
    homography, parallax = plane_and_parallax(
        views.camera_to_world[:, side], views.camera_to_world[:, there], intrinsics[:, side], intrinsics[:, there]
    )
    explained = camera_flow(disparity_from_depth(views.depth[:, side]), homography, parallax)
    most = (flow.shape[-2] ** 2 + flow.shape[-1] ** 2) ** 0.5
    return (explained - flow).norm(dim=1).nan_to_num(most, posinf=most).clamp_max(most)


def fitted_to_flow(views: TwoViews, flow: Tensor, side: int, principal_point: Tensor) -> TwoViews:
    """The pairs with the partner's camera where the points of the frames on `side` are seen by the flow.

    flow [M, 2, H, W]: from the frames on `side`, in whose cameras the world then lies. Where no camera is found, the
    one that there was stays.
    """
    there = 1 - side
    depth, focal = views.depth[:, side], views.focal.unsqueeze(-1).expand(-1, -1, 2)
    points = unproject(depth, intrinsics_matrix(focal[:, side], principal_point.to(focal).expand_as(focal[:, side])))
    pixels = pixel_grid(*depth.shape[-2:], like=flow) + flow.movedim(1, -1)
    step = max(1, depth[0].numel() // _FITTED)
    known = (depth > 0) & pixels.isfinite().all(-1)
    points, pixels, known = (values.flatten(1, 2)[:, ::step] for values in (points, pixels, known))
    fit = solve_pose(
        points, pixels.nan_to_num(), known.float(), views.focal[:, there], principal_point, bound_px=_EXPLAINED
    )
    poses = torch.eye(4, device=depth.device).expand_as(views.camera_to_world).clone()
    poses[:, there] = fit.camera_to_world
    poses = torch.where(fit.found[:, None, None, None], poses, views.camera_to_world)
    return TwoViews(views.pairs, views.focal, poses, views.depth)


def _unexplained(error: Tensor) -> Tensor:
    """Disagreement [M, H, W] -> [M]."""
    return error.clamp_max(_EXPLAINED).mean((1, 2))


def _parts(count: int, pixels: int) -> Iterator[slice]:
    size = max(1, _AT_ONCE // pixels)
    return (slice(start, start + size) for start in range(0, count, size))
