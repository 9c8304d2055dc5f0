"""What the global alignment optimises: one depth map, pose and focal length per frame, one similarity per pair.

The parametrisation is the published one (DUSt3R, Wang et al. 2024, section 3.3; MonST3R): logarithmic depth,
quaternions (x, y, z, w) of any length, translations as sign(t) log(1 + |t|), focal lengths as 20 ln f. P pixels are
H * W, row by row. The scales of all pairs keep a given geometric mean, or else the scene would shrink to please the
objective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.clip import Noun
from motion4d.geometry.poses import se3
from motion4d.geometry.projection import intrinsics_matrix
from motion4d.geometry.quaternions import quaternion_from_rotation, rotation_from_quaternion

FOCAL_STEP = 20.0  # published as focal_break: one unit is a twentieth of ln f
MEAN_LOG_SCALE = math.log(0.5)  # published as base_scale


@dataclass
class AlignmentState(Noun):
    """log_depth [N, P]; poses [N, 7] (quaternion, bent translation); focals [N], or [1] for one shared focal length;
    pair_poses [E, 8] (quaternion, bent translation, logarithmic scale); mean_log_scale: what the mean of the pairs'
    logarithmic scales is shifted to. None: they stand as they are, for scenes whose scale is known otherwise.
    """

    log_depth: Tensor
    poses: Tensor
    focals: Tensor
    pair_poses: Tensor
    mean_log_scale: float | None = MEAN_LOG_SCALE

    def parameters(self) -> list[Tensor]:
        """All four, in this order."""
        return [self.log_depth, self.poses, self.focals, self.pair_poses]

    def window(self, frames: slice, pairs: Tensor) -> AlignmentState:
        """The state of some frames and of the pairs [E] bool between them, with their scales as they stand."""
        pair_poses = self.pair_poses[pairs].clone()
        pair_poses[:, 7] = self.log_scales()[pairs]
        focals = self.focals if len(self.focals) == 1 else self.focals[frames]
        return AlignmentState(self.log_depth[frames], self.poses[frames], focals, pair_poses, None)

    def copy(self) -> AlignmentState:
        """A detached copy."""
        return self._map(lambda tensor: tensor.detach().clone())

    @property
    def depth(self) -> Tensor:
        """[N, P]."""
        return self.log_depth.exp()

    @property
    def focal(self) -> Tensor:
        """[N] in pixels."""
        return (self.focals / FOCAL_STEP).exp().expand(len(self.poses))

    @property
    def camera_to_world(self) -> Tensor:
        """[N, 4, 4]."""
        return se3(rotation_from_quaternion(self.poses[:, :4]), unbend(self.poses[:, 4:7]))

    def pair_similarities(self) -> tuple[Tensor, Tensor]:
        """scale * rotation [E, 3, 3] and scale * translation [E, 3] that take a pair's pointmaps to the world."""
        scale = self.log_scales().exp()
        rotation = rotation_from_quaternion(self.pair_poses[:, :4])
        return scale[:, None, None] * rotation, scale[:, None] * unbend(self.pair_poses[:, 4:7])

    def log_scales(self) -> Tensor:
        """[E]: logarithms of the scales that the pairs' pointmaps have in the world."""
        given = self.pair_poses[:, 7]
        return given if self.mean_log_scale is None else given + (self.mean_log_scale - given.mean())

    def intrinsics(self, principal_point: Tensor) -> Tensor:
        """[N, 3, 3]; principal_point [2] in pixels."""
        focal = self.focal.unsqueeze(-1).expand(-1, 2)
        return intrinsics_matrix(focal, principal_point.to(focal).expand_as(focal))


def pose_parameters(rotation: Tensor, translation: Tensor) -> Tensor:
    """Rotations [..., 3, 3] and translations [..., 3] -> [..., 7]."""
    return torch.cat((quaternion_from_rotation(rotation), bend(translation)), -1)


def focal_parameters(focal: Tensor) -> Tensor:
    """Focal lengths in pixels -> 20 ln f."""
    return FOCAL_STEP * focal.log()


def bend(translation: Tensor) -> Tensor:
    """sign(t) log(1 + |t|) per component."""
    return translation.sign() * translation.abs().log1p()


def unbend(bent: Tensor) -> Tensor:
    """The inverse of `bend`."""
    return bent.sign() * bent.abs().expm1()
