"""Rigid motions as 4x4 matrices, and rotations from free numbers.

Conventions: motion4d.clip (OpenCV axes; a pose's name says its direction). Everything is batched over leading axes and
keeps dtype and device. The nearest-rotation map follows Levinson et al. 2020 ("An Analysis of SVD for Deep Rotation
Estimation"); its gradient is the closed form of the polar factor, finite also where singular values coincide, which is
where a well-trained network ends up (differentiating the SVD itself divides by zero there).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def se3(rotation: Tensor, translation: Tensor) -> Tensor:
    """Rotation [..., 3, 3] and translation [..., 3] -> [..., 4, 4]."""
    upper = torch.cat((rotation, translation.unsqueeze(-1)), dim=-1)
    return torch.cat((upper, upper.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*upper.shape[:-2], 1, 4)), dim=-2)


def se3_inverse(pose: Tensor) -> Tensor:
    """The inverse of rigid motions [..., 4, 4] (orthonormal rotation block): world_to_camera from camera_to_world."""
    rotation = pose[..., :3, :3].transpose(-1, -2)
    return se3(rotation, -(rotation @ pose[..., :3, 3:]).squeeze(-1))


def relative_to_first(camera_to_world: Tensor) -> Tensor:
    """Poses [..., N, 4, 4] in any common frame -> the same with the first camera as the world frame."""
    return se3_inverse(camera_to_world[..., :1, :, :]) @ camera_to_world


def rotation_from_9(numbers: Tensor) -> Tensor:
    """Nine free numbers [..., 9] (a 3x3 matrix row by row) -> rotations [..., 3, 3].

    Rows are normalised (norms below 1e-12 count as that), then the nearest rotation is taken.
    """
    return nearest_rotation(F.normalize(numbers.unflatten(-1, (3, 3)), dim=-1, eps=1e-12))


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rotation [..., 3, 3] nearest to `matrix` in the Frobenius norm (determinant +1 always)."""
    return _NearestRotation.apply(matrix)


class _NearestRotation(torch.autograd.Function):
    """matrix = R P with P symmetric; R = U diag(1, 1, det(U V')) V'."""

    @staticmethod
    def forward(context: Any, matrix: Tensor) -> Tensor:
        left, singular, right_transposed = torch.linalg.svd(matrix)
        sign = torch.linalg.det(left @ right_transposed).sign()
        signs = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), dim=-1)
        rotation = (left * signs.unsqueeze(-2)) @ right_transposed
        context.save_for_backward(rotation, singular * signs, right_transposed)
        return rotation

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        """R' dR is antisymmetric; in the basis of P it is (R' dM - dM' R) / (s_i + s_j)."""
        rotation, stretch, right_transposed = context.saved_tensors
        basis = right_transposed.transpose(-1, -2)
        turned = right_transposed @ rotation.transpose(-1, -2) @ gradient @ basis
        sums = stretch.unsqueeze(-1) + stretch.unsqueeze(-2)
        safe = torch.where(sums.abs() < 1e-6, 1e-6, sums)
        return rotation @ basis @ ((turned - turned.transpose(-1, -2)) / safe) @ right_transposed
