"""What VGGT and PAGE-4D say, in their own form, and how that becomes a Geometry."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from motion4d.clip import Geometry
from motion4d.geometry.pose_encoding import intrinsics_of, world_to_camera_of
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points, unproject


@dataclass
class VGGTPrediction:
    """The network's own answer; what was not asked for is None.

    pose_encodings [iterations, B, N, 9] (motion4d.geometry.pose_encoding; the last one counts); depth and points_world
    [B, N, H, W(, 3)] with depth_confidence and points_confidence [B, N, H, W] >= 1; tokens as in Geometry.
    """

    pose_encodings: Tensor | None = None
    depth: Tensor | None = None
    depth_confidence: Tensor | None = None
    points_world: Tensor | None = None
    points_confidence: Tensor | None = None
    tokens: dict[str, Tensor] = field(default_factory=dict)


def geometry_of(said: VGGTPrediction, images: Tensor) -> Geometry:
    """A prediction for these images in the conventions of motion4d.clip; see VGGT.forward."""
    answer = Geometry(tokens=said.tokens, depth=said.depth, points_world=said.points_world)
    answer.confidence = said.depth_confidence if said.depth_confidence is not None else said.points_confidence
    if said.pose_encodings is None:
        return answer
    with torch.autocast(images.device.type, enabled=False):  # coordinates are never rounded to half precision
        world_to_camera = world_to_camera_of(said.pose_encodings[-1])
        answer.camera_to_world = se3_inverse(world_to_camera)
        answer.intrinsics = intrinsics_of(said.pose_encodings[-1], (images.shape[-2], images.shape[-1]))
        if said.depth is not None:
            answer.points_camera = unproject(said.depth, answer.intrinsics)
            if said.points_world is None:
                answer.points_world = transform_points(answer.camera_to_world, answer.points_camera)
        elif said.points_world is not None:
            answer.points_camera = transform_points(world_to_camera, said.points_world)
            answer.depth = answer.points_camera[..., 2]
    return answer
