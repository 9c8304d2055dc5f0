"""Similarity alignment of corresponding points (Umeyama 1991), weighted or masked, batched; plain or robust."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import torch
from torch import Tensor

from motion4d.geometry.poses import nearest_rotation, se3

_SAMPLE_SIZE = 4  # points that a robust alignment begins with
_JUDGES = 2000  # points that choose among the samples


@dataclass(frozen=True)
class Similarity:
    """target = scale * rotation @ source + translation; scale [...], rotation [..., 3, 3], translation [..., 3]."""

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    @property
    def matrix(self) -> Tensor:
        """[..., 4, 4]; the upper left block is scale * rotation."""
        return se3(self.scale[..., None, None] * self.rotation, self.translation)

    def apply(self, points: Tensor) -> Tensor:
        """Points [..., P, 3] of the source -> target."""
        moved = points @ self.rotation.transpose(-1, -2)
        return self.scale[..., None, None] * moved + self.translation.unsqueeze(-2)

    def move_cameras(self, camera_to_world: Tensor) -> Tensor:
        """Poses [..., N, 4, 4] of the source world -> target world; rotation blocks stay orthonormal."""
        rotation = self.rotation.unsqueeze(-3) @ camera_to_world[..., :3, :3]
        return se3(rotation, self.apply(camera_to_world[..., :3, 3]))


def umeyama(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Similarity:
    """The similarity that takes `source` to `target` (both [..., P, 3]) with the least weighted squared error.

    weights [..., P]: nonnegative, or a mask; None weighs all points alike. Needs three points of positive weight.
    """
    weights = torch.ones_like(source[..., 0]) if weights is None else weights.to(source.dtype)
    fewest = int((weights > 0).sum(-1).min())
    if fewest < 3:
        raise ValueError(f"a similarity needs at least 3 corresponding points, but only {fewest} are valid")
    share = (weights / weights.sum(-1, keepdim=True)).unsqueeze(-1)
    mean_source, mean_target = ((share * points).sum(-2) for points in (source, target))
    centred = source - mean_source.unsqueeze(-2)
    covariance = ((target - mean_target.unsqueeze(-2)) * share).transpose(-1, -2) @ centred
    rotation = nearest_rotation(covariance)
    scale = (rotation * covariance).sum((-2, -1)) / (share * centred.square()).sum((-2, -1))
    moved = (rotation @ mean_source.unsqueeze(-1)).squeeze(-1)
    return Similarity(scale, rotation, mean_target - scale.unsqueeze(-1) * moved)


def robust_umeyama(
    source: Tensor,
    target: Tensor,
    weights: Tensor,
    *,
    unit: Tensor | None = None,
    samples: int = 64,
    rounds: int = 10,
) -> Similarity:
    """`umeyama` for points [P, 3] of which up to half may be wrong; weights [P] as there.

    Reweighting (Geman-McClure: a residual of three medians counts a quarter) begins at that similarity, of those which
    small samples give, whose median residual is least. unit [P]: what a residual is measured in at each point, such as
    its depth; points then weigh 1/unit^2 more. Samples come from a seeded generator.
    """
    unit = torch.ones_like(weights) if unit is None else unit
    base = torch.where(weights > 0, weights / unit.square(), 0)
    similarity = _voted(source, target, base, unit, samples)
    for _ in range(rounds):
        residual = (similarity.apply(source) - target).norm(dim=-1) / unit
        scale = (3 * residual[base > 0].median()).clamp_min(torch.finfo(residual.dtype).eps)
        similarity = umeyama(source, target, base / (1 + (residual / scale).square()).square())
    return similarity


def _voted(source: Tensor, target: Tensor, weights: Tensor, unit: Tensor, samples: int) -> Similarity:
    """The similarity of all points or of a small sample, whichever has the least median residual."""
    whole = umeyama(source, target, weights)
    known = weights > 0
    generator = torch.Generator().manual_seed(0)
    judges, picks = (
        torch.randint(int(known.sum()), shape, generator=generator).to(source.device)
        for shape in ((_JUDGES,), (samples, _SAMPLE_SIZE))
    )
    source, target, unit = source[known], target[known], unit[known]
    drawn = umeyama(source[picks], target[picks])
    voters = [torch.cat((one[None], few)) for one, few in zip(astuple(whole), astuple(drawn), strict=True)]
    candidates = Similarity(*voters)
    residual = (candidates.apply(source[judges]) - target[judges]).norm(dim=-1) / unit[judges]
    best = residual.median(-1).values.nan_to_num(torch.inf).argmin()  # a sample of one repeated point has no scale
    return Similarity(*(part[best] for part in voters))
