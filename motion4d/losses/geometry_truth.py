"""The truth that cameras, depth and points are compared with: each sequence in its first camera's frame, at scale 1.

A feed-forward network cannot know the scale of a scene, nor where its world begins. So the world becomes the first
camera's frame, and lengths are divided by the mean distance of its valid points from there (VGGT, PAGE-4D).
Everything is float32, whatever autocast says; what is not finite becomes 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.geometry.pose_encoding import encode_pose
from motion4d.geometry.poses import relative_to_first, se3_inverse
from motion4d.geometry.projection import transform_points, unproject

SMALLEST_SCALE, LARGEST_SCALE = 1e-6, 1e6


class GeometryPrediction(Protocol):
    """What the terms read of a prediction (motion4d.backbones.vggt_prediction has it); None: not asked for.

    pose_encodings [stages, B, N, 9]; depth, both confidences [B, N, H, W]; points_world [B, N, H, W, 3].
    """

    pose_encodings: Tensor | None
    depth: Tensor | None
    depth_confidence: Tensor | None
    points_world: Tensor | None
    points_confidence: Tensor | None


@dataclass
class GeometryTruth:
    """world_to_camera [B, N, 4, 4]; pose_encodings [B, N, 9] (motion4d.geometry.pose_encoding); depth [B, N, H, W];
    points_world [B, N, H, W, 3]; valid [B, N, H, W] bool: depth and points are known here.
    """

    world_to_camera: Tensor
    pose_encodings: Tensor
    depth: Tensor
    points_world: Tensor
    valid: Tensor


def normalised(clip: Clip) -> GeometryTruth:
    """The truth of a clip with depth and cameras. A pixel is valid where its depth is positive and finite."""
    known = known_geometry(clip)
    with torch.autocast(known[0].device.type, enabled=False):
        return normalise(*known)


def known_geometry(clip: Clip) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """camera_to_world, intrinsics, depth, and where depth is valid, of a clip that has them, float32.

    A ValueError names what is missing.
    """
    missing = [name for name in ("depth", "intrinsics", "camera_to_world") if getattr(clip, name) is None]
    if clip.depth is None or clip.intrinsics is None or clip.camera_to_world is None:
        names = ", ".join(source.sequence for source in clip.sources) or "the clip"
        raise ValueError(f"{names} has no {', '.join(missing)}; the loss needs data with depth and cameras")
    depth = clip.depth.float()
    valid = depth.isfinite() & (depth > 0)
    valid = valid if clip.valid is None else valid & clip.valid
    return clip.camera_to_world.float(), clip.intrinsics.float(), depth, valid


def normalise(camera_to_world: Tensor, intrinsics: Tensor, depth: Tensor, valid: Tensor) -> GeometryTruth:
    """Cameras [B, N, 4, 4] and [B, N, 3, 3] and depth [B, N, H, W], valid where `valid`, as the module says.

    scale = sum |X| over the valid points X / (their number + 1e-3), within 1e-6 and 1e6.
    """
    camera_to_world = relative_to_first(camera_to_world)
    points = transform_points(camera_to_world, unproject(depth, intrinsics))
    points, depth = _finite(points), _finite(depth)
    distance = (points.norm(dim=-1) * valid).sum((1, 2, 3))
    scale = (distance / (valid.sum((1, 2, 3)) + 1e-3)).clamp(SMALLEST_SCALE, LARGEST_SCALE)[:, None, None, None]
    world_to_camera = se3_inverse(camera_to_world)
    translation = world_to_camera[..., :3, 3:] / scale
    world_to_camera = _finite(torch.cat((world_to_camera[..., :3], _row(translation)), dim=-1))
    return GeometryTruth(
        world_to_camera=world_to_camera,
        pose_encodings=encode_pose(world_to_camera, intrinsics, (depth.shape[-2], depth.shape[-1])),
        depth=depth / scale,
        points_world=points / scale.unsqueeze(-1),
        valid=valid,
    )


def nothing(predicted: Sequence[Tensor | None]) -> Tensor:
    """0 with a (zero) gradient for what was predicted: a batch without truth must not break ranks that have some."""
    return torch.stack([(value.nan_to_num() * 0).sum() for value in predicted if value is not None]).sum()


def _finite(values: Tensor) -> Tensor:
    return values.nan_to_num(0.0, 0.0, 0.0)


def _row(translation: Tensor) -> Tensor:
    """[..., 3, 1] -> [..., 4, 1], the last number 1."""
    return torch.cat((translation, torch.ones_like(translation[..., :1, :])), dim=-2)
