"""A camera as nine numbers (VGGT, PAGE-4D): translation, quaternion (x, y, z, w), field of view (vertical, horizontal).

Translation and quaternion are those of world_to_camera; the fields of view are in radians. The principal point is not
encoded: it is the image's centre, by the rule of motion4d.clip ((W-1)/2, (H-1)/2). The released code says (W/2, H/2)
with pixel centres at integers: `centre` is for that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.poses import se3
from motion4d.geometry.projection import intrinsics_matrix
from motion4d.geometry.quaternions import quaternion_from_rotation, rotation_from_quaternion

SMALLEST_FIELD_OF_VIEW = 1e-3  # radians; the network can say 0, which would be an infinite focal length


def world_to_camera_of(encoding: Tensor) -> Tensor:
    """Encodings [..., 9] -> world_to_camera [..., 4, 4]; the quaternion may have any length."""
    return se3(rotation_from_quaternion(encoding[..., 3:7]), encoding[..., :3])


def intrinsics_of(encoding: Tensor, size: tuple[int, int], *, centre: tuple[float, float] | None = None) -> Tensor:
    """Encodings [..., 9] of images of `size` = (H, W) -> intrinsics [..., 3, 3] in pixels.

    centre: the principal point (x, y). Fields of view below SMALLEST_FIELD_OF_VIEW count as that.
    """
    height, width = size
    half = torch.tan(encoding[..., 7:].clamp(min=SMALLEST_FIELD_OF_VIEW) / 2)
    focal = torch.stack((width / 2 / half[..., 1], height / 2 / half[..., 0]), dim=-1)
    x, y = centre if centre is not None else ((width - 1) / 2, (height - 1) / 2)
    return intrinsics_matrix(focal, focal.new_tensor([x, y]).expand_as(focal))


def encode_pose(world_to_camera: Tensor, intrinsics: Tensor, size: tuple[int, int]) -> Tensor:
    """world_to_camera [..., 4, 4] (or 3x4) and intrinsics [..., 3, 3] of images of `size` = (H, W) -> [..., 9].

    The quaternion has unit length and w >= 0. The principal point is lost.
    """
    height, width = size
    quaternion = quaternion_from_rotation(world_to_camera[..., :3, :3])
    vertical = 2 * torch.atan(height / 2 / intrinsics[..., 1, 1])
    horizontal = 2 * torch.atan(width / 2 / intrinsics[..., 0, 0])
    return torch.cat(
        (world_to_camera[..., :3, 3], quaternion, vertical.unsqueeze(-1), horizontal.unsqueeze(-1)), dim=-1
    )
