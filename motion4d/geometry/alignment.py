"""Similarity alignment of corresponding points (Umeyama 1991), weighted or masked, batched."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.geometry.poses import nearest_rotation, se3


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
