"""The image motion of a static world between two cameras: plane plus parallax.

A pixel p = (u, v, 1) of the source at disparity d = 1 / z lands at y = H p + d b of the target, with
H = K_t R K_s^-1 and b = K_t t for the source-to-target motion (R, t). Written so, a pair costs twelve numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.geometry.projection import pixel_grid

EPSILON = 1e-6  # added to depths before they are inverted or divided by, as published


def plane_and_parallax(
    source_to_world: Tensor, target_to_world: Tensor, source_intrinsics: Tensor, target_intrinsics: Tensor
) -> tuple[Tensor, Tensor]:
    """Poses [..., 4, 4] and intrinsics [..., 3, 3] of both cameras -> H [..., 3, 3], b [..., 3]."""
    to_target = target_intrinsics @ target_to_world[..., :3, :3].mT
    homography = to_target @ source_to_world[..., :3, :3] @ torch.linalg.inv(source_intrinsics)
    centres = source_to_world[..., :3, 3] - target_to_world[..., :3, 3]
    return homography, (to_target @ centres.unsqueeze(-1)).squeeze(-1)


def transferred(disparity: Tensor, homography: Tensor, parallax: Tensor) -> Tensor:
    """Disparity [..., H, W] of the source -> y [..., 3, H, W], homogeneous pixels of the target."""
    u, v = pixel_grid(*disparity.shape[-2:], like=disparity).unbind(-1)
    plane = homography[..., None, None, :, :]
    places = plane[..., 0] * u[..., None] + plane[..., 1] * v[..., None] + plane[..., 2]
    return (places + parallax[..., None, None, :] * disparity[..., None]).movedim(-1, -3)


def camera_flow(disparity: Tensor, homography: Tensor, parallax: Tensor) -> Tensor:
    """Disparity [..., H, W] of the source -> flow [..., 2, H, W] in pixels that the camera alone causes."""
    places = transferred(disparity, homography, parallax)
    pixels = pixel_grid(*disparity.shape[-2:], like=disparity).movedim(-1, 0)
    return places[..., :2, :, :] / (places[..., 2:, :, :] + EPSILON) - pixels


def disparity_from_depth(depth: Tensor) -> Tensor:
    """1 / (z + 1e-6)."""
    return 1 / (depth + EPSILON)
