"""Robust camera poses from pointmaps (perspective-n-point), for many frames at once.

The object-space error sum w |(I - v v' / |v|^2) (R X + t)|^2 of points X on rays v is quadratic in vec(R) once t is
eliminated (Lu et al. 2000), so any number of points shrinks to a 9x9 matrix. Its minima over rotations are searched
from the smallest eigenvectors (SQPnP, Terzakis and Lourakis 2020) with Gauss-Newton steps on the rotation. Robustness:
small samples vote, then the points are reweighted by their reprojection errors (Geman-McClure: far ones pull hardly at
all), which also turns the object-space error into the reprojection error. All in float64; samples come from a seeded
generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.geometry.poses import nearest_rotation, se3, se3_inverse

_SAMPLE_SIZE = 8
_VOTERS = 2000  # points that judge the samples
_NEWTON_STEPS = 12


@dataclass(frozen=True)
class PoseFit:
    """camera_to_world [B, 4, 4]; inliers [B]: share of the weighted points that reproject within the bound;
    error [B]: mean squared reprojection error in pixels^2, each capped by the bound; found [B] bool.
    """

    camera_to_world: Tensor
    inliers: Tensor
    error: Tensor
    found: Tensor


@torch.no_grad()
def solve_pose(
    points: Tensor,
    pixels: Tensor,
    weights: Tensor,
    focal: Tensor,
    principal_point: Tensor,
    *,
    bound_px: float = 5.0,
    samples: int = 32,
    rounds: int = 8,
) -> PoseFit:
    """Poses of B cameras that see world points [B, P, 3] at pixels [P, 2], or [B, P, 2].

    weights [B, P]: nonnegative, zero leaves a point out, as does a point that is not finite; focal [B],
    principal_point [2]: pixels. Where fewer than four points have weight, or the focal length is not positive, found is
    False and the pose is the identity.
    """
    finite = points.isfinite().all(-1)
    points, weights = torch.where(finite[..., None], points, 0).double(), (weights * finite).double()
    possible = (focal > 0) & focal.isfinite()
    focal = torch.where(possible, focal, torch.ones_like(focal))
    rays = (pixels - principal_point.to(pixels)).double() / focal.double()[:, None, None]
    rays = torch.cat((rays, torch.ones_like(rays[..., :1])), -1)
    found = possible & ((weights > 0).sum(-1) >= 4)
    weights = torch.where(found[:, None], weights, torch.ones_like(weights))
    centre, size = _frame_of(points, weights)
    local = (points - centre[:, None]) / size[:, None, None]
    bound = bound_px / focal.double()

    rotation, translation = _vote(local, rays, weights, bound, samples)
    for _ in range(rounds):
        error, depth = _reprojection(local, rays, rotation, translation)
        robust = weights * _geman_mcclure(error, weights, bound) / depth.clamp_min(1e-3).square()
        rotation, translation = _solve(_moments(local, rays, robust), rotation[:, None])
    error, depth = _reprojection(local, rays, rotation, translation)
    inside = (error < bound[:, None]) & (depth > 0)
    total = weights.sum(-1)
    capped = torch.minimum(error, bound[:, None]).square() * focal.double()[:, None].square()
    moved = size[:, None] * translation - (rotation @ centre.unsqueeze(-1)).squeeze(-1)
    pose = se3_inverse(se3(rotation, moved))
    identity = torch.eye(4, dtype=pose.dtype, device=pose.device)
    return PoseFit(
        torch.where(found[:, None, None], pose, identity).to(focal.dtype),
        ((weights * inside).sum(-1) / total).to(focal.dtype),
        ((weights * capped).sum(-1) / total).to(focal.dtype),
        found,
    )


def solve_pose_and_focal(
    points: Tensor, pixels: Tensor, weights: Tensor, principal_point: Tensor, *, longer_side: int, candidates: int = 21
) -> tuple[PoseFit, Tensor]:
    """One camera's pose [1, 4, 4] and focal length [1]: points [P, 3], pixels [P, 2], weights [P].

    Candidates are spaced evenly in the logarithm from half to three times the longer side; the least error wins.
    """
    exponents = torch.linspace(math.log(longer_side / 2), math.log(3 * longer_side), candidates, device=points.device)
    focal = exponents.exp()
    fit = solve_pose(points.expand(candidates, -1, -1), pixels, weights.expand(candidates, -1), focal, principal_point)
    best = int(fit.error.argmin())
    chosen = slice(best, best + 1)
    return PoseFit(fit.camera_to_world[chosen], fit.inliers[chosen], fit.error[chosen], fit.found[chosen]), focal[
        chosen
    ]


def _frame_of(points: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted centre [B, 3] and root mean square radius [B]."""
    share = (weights / weights.sum(-1, keepdim=True)).unsqueeze(-1)
    centre = (share * points).sum(-2)
    radius = (share * (points - centre[:, None]).square()).sum((-2, -1)).sqrt()
    return centre, radius.clamp_min(1e-12)


def _moments(points: Tensor, rays: Tensor, weights: Tensor) -> Tensor:
    """sum w Q_ab X_c X_d [..., 3, 3, 4, 4] with Q = I - v v' / |v|^2 and X = (x, y, z, 1)."""
    direction = rays / rays.norm(dim=-1, keepdim=True)
    outer = direction.unsqueeze(-1) * direction.unsqueeze(-2)
    across = (torch.eye(3, dtype=rays.dtype, device=rays.device) - outer) * weights[..., None, None]
    homogeneous = torch.cat((points, torch.ones_like(points[..., :1])), -1)
    squares = homogeneous.unsqueeze(-1) * homogeneous.unsqueeze(-2)
    return (across.flatten(-2).mT @ squares.flatten(-2)).unflatten(-1, (4, 4)).unflatten(-3, (3, 3))


def _solve(moments: Tensor, starts: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Moments [B, 3, 3, 4, 4] -> the best rotation [B, 3, 3] and translation [B, 3].

    starts [B, S, 3, 3]: where to begin; None: at the eigenvectors of the quadratic form.
    """
    batch = moments.shape[0]
    square = moments[..., :3, :3].permute(0, 1, 3, 2, 4).reshape(batch, 9, 9)  # (a c, b d)
    mixed = moments[..., :3, 3].reshape(batch, 3, 9)  # a, (b c)
    alone = moments[..., 3, 3]
    eye = torch.eye(3, dtype=moments.dtype, device=moments.device)
    ridge = 1e-12 * alone.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp_min(1e-30) * eye
    offset = -torch.linalg.solve(alone + ridge, mixed)  # translation = offset @ vec(R)
    form = square + mixed.mT @ offset
    form = (form + form.mT) / 2
    if starts is None:
        vectors = torch.linalg.eigh(form).eigenvectors[:, :, :4].mT.unflatten(-1, (3, 3))
        starts = nearest_rotation(torch.cat((vectors, -vectors), 1))
    rotation = _newton(form[:, None], starts)
    flat = rotation.flatten(-2)
    translation = flat @ offset.mT
    cost = (flat @ form * flat).sum(-1)
    cost = torch.where(translation[..., 2] > 0, cost, torch.inf)
    best = cost.argmin(1)
    rows = torch.arange(batch, device=moments.device)
    return rotation[rows, best], translation[rows, best]


def _newton(form: Tensor, rotation: Tensor) -> Tensor:
    """Gauss-Newton steps on r' form r over rotations [B, S, 3, 3]; a step that does not help is damped."""
    scale = form.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    ridge = 1e-9 * scale * torch.eye(3, dtype=form.dtype, device=form.device)
    for _ in range(_NEWTON_STEPS):
        jacobian = (_generators(form) @ rotation.unsqueeze(-3)).flatten(-2)  # [B, S, 3, 9]
        normal = jacobian @ form @ jacobian.mT + ridge
        gradient = jacobian @ form @ rotation.flatten(-2).unsqueeze(-1)
        step = -torch.linalg.solve_ex(normal, gradient).result.squeeze(-1)
        step = step / step.norm(dim=-1, keepdim=True).clamp_min(0.5) * 0.5  # never more than half a radian
        rotation = torch.linalg.matrix_exp((step[..., None, None] * _generators(form)).sum(-3)) @ rotation
    return rotation


def _generators(like: Tensor) -> Tensor:
    """The three infinitesimal rotations [3, 3, 3]."""
    x = [[0, 0, 0], [0, 0, -1], [0, 1, 0]]
    y = [[0, 0, 1], [0, 0, 0], [-1, 0, 0]]
    z = [[0, -1, 0], [1, 0, 0], [0, 0, 0]]
    return like.new_tensor([x, y, z])


def _reprojection(points: Tensor, rays: Tensor, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Error in the image plane at z = 1 and depth of the points, both [..., P]."""
    moved = points @ rotation.mT + translation.unsqueeze(-2)
    depth = moved[..., 2]
    error = (moved[..., :2] / depth.clamp_min(1e-6).unsqueeze(-1) - rays[..., :2]).norm(dim=-1)
    return error, depth


def _geman_mcclure(error: Tensor, weights: Tensor, bound: Tensor) -> Tensor:
    """Robust weights whose scale is twice the spread of the errors (3 medians), at most the bound."""
    median = torch.where(weights > 0, error, torch.nan).nanmedian(-1).values
    scale = (3 * median).clamp_min(0.1 * bound).minimum(bound)
    return 1 / (1 + (error / scale[:, None]).square()).square()


def _vote(points: Tensor, rays: Tensor, weights: Tensor, bound: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """The pose that most points agree with, among those of small samples and that of all points."""
    batch = len(points)
    generator = torch.Generator().manual_seed(0)
    picks = torch.multinomial((weights > 0).float().cpu(), samples * _SAMPLE_SIZE, True, generator=generator)
    picks = picks.view(batch, samples, _SAMPLE_SIZE).to(points.device)
    rows = torch.arange(batch, device=points.device)[:, None, None]
    few = _moments(points[rows, picks], rays[rows, picks], torch.ones_like(weights[rows, picks]))
    moments = torch.cat((_moments(points, rays, weights)[:, None], few), 1)
    rotation, translation = (part.unflatten(0, (batch, samples + 1)) for part in _solve(moments.flatten(0, 1)))
    stride = max(1, points.shape[1] // _VOTERS)
    error, depth = _reprojection(points[:, None, ::stride], rays[:, None, ::stride], rotation, translation)
    capped = torch.minimum(error, bound[:, None, None]) + torch.where(depth > 0, 0.0, bound[:, None, None])
    best = (capped * weights[:, None, ::stride]).sum(-1).argmin(1)
    rows = rows[:, 0, 0]
    return rotation[rows, best], translation[rows, best]
