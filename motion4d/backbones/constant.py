"""The least that a geometry can be: every depth is 1 and the camera stands still. What networks are compared with."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from motion4d.backbones.base import Backbone
from motion4d.clip import Geometry
from motion4d.geometry.projection import intrinsics_matrix, unproject


class ConstantGeometry(Backbone):
    """A wall in front of a camera that stands still; the focal length is the longer side of the image."""

    patch_size = 1
    special_tokens = 0
    available_heads = frozenset({"points", "pose", "depth", "confidence"})

    @property
    def available_taps(self) -> dict[str, int]:
        """None."""
        return {}

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """The same for all images [B, N, 3, H, W]; every field but tokens, whatever was asked for."""
        self.check_request(images, heads, taps)
        depth = torch.ones_like(images[:, :, 0])
        height, width = depth.shape[-2:]
        focal = depth.new_full((*depth.shape[:2], 2), float(max(height, width)))
        centre = depth.new_tensor([(width - 1) / 2, (height - 1) / 2]).expand_as(focal)
        intrinsics = intrinsics_matrix(focal, centre)
        points = unproject(depth, intrinsics)
        pose = torch.eye(4, dtype=depth.dtype, device=depth.device).expand(*depth.shape[:2], 4, 4)
        return Geometry(pose, intrinsics, points, points, depth, torch.ones_like(depth))
