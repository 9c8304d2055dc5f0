"""A geometry model that is trained: any backbone that says cameras, and depth or points (PAGE-4D's fine-tuning).

What is trained is chosen by parameter names; whatever runs before the first trained parameter leaves no graph behind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.page4d import Page4D
from motion4d.backbones.vggt import VGGT
from motion4d.backbones.vggt_prediction import VGGTPrediction
from motion4d.clip import Clip, Geometry
from motion4d.framing import Framing
from motion4d.geometry.pose_encoding import encode_pose
from motion4d.geometry.poses import se3_inverse
from motion4d.layers.block import Block
from motion4d.models.geometry import GeometryModel


class Stage(Protocol):
    """Where a training stands."""

    step: int  # optimizer steps done


class TrainableGeometry(GeometryModel):
    """Clip -> VGGTPrediction: what the terms of motion4d.losses read.

    heads: of the backbone, those that are trained; trainable: patterns (fnmatch) of parameter names, all others are
    frozen; mask: optimizer steps done -> strength of PAGE-4D's mask in training, None: as the backbone has it;
    gradient_checkpointing: blocks keep their input only and are computed again for their gradient: the same numbers in
    less memory and more time.
    """

    def __init__(
        self,
        backbone: Backbone,
        framing: Callable[[int, int], Framing],
        *,
        heads: Collection[str] = ("pose", "depth", "confidence"),
        trainable: Sequence[str] = ("*",),
        mask: Callable[[int], float] | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__(backbone, framing)
        lacking = sorted(set(heads) - backbone.available_heads)
        if lacking:
            raise CapabilityError(
                f"{type(backbone).__name__} has no head {', '.join(lacking)} to train; it offers "
                f"{', '.join(sorted(backbone.available_heads)) or 'none'} (backbone.heads builds them)"
            )
        if mask is not None and not isinstance(backbone, Page4D):
            raise CapabilityError(f"{type(backbone).__name__} has no mask whose strength could be set; model.mask=null")
        self.heads = tuple(heads)
        self.mask = mask
        train_only(self, trainable)
        for module in backbone.modules():
            if isinstance(module, Block):
                module.gradient_checkpointing = gradient_checkpointing

    def forward(self, clip: Clip, progress: Stage | None = None) -> VGGTPrediction:
        """What the heads say of a framed clip."""
        if isinstance(self.backbone, Page4D) and self.mask is not None and progress is not None:
            return self.backbone.predict(clip.images, heads=self.heads, strength=self.mask(progress.step))
        if isinstance(self.backbone, VGGT):
            return self.backbone.predict(clip.images, heads=self.heads)
        return prediction_of(self.backbone(clip.images, heads=self.heads), clip.size)


def train_only(model: GeometryModel, patterns: Sequence[str]) -> None:
    """Freeze every parameter whose name none of the patterns matches; a ValueError for a pattern without any."""
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"model.trainable: no parameter is called {pattern}; there is, for example, {names[0]}")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(fnmatchcase(name, pattern) for pattern in patterns))


def prediction_of(geometry: Geometry, size: tuple[int, int]) -> VGGTPrediction:
    """The geometry of images of `size` = (H, W) as a prediction in one stage, with one confidence for all maps.

    Fields of view have no gradient: such a backbone finds them by a fit to its points, and those are trained directly.
    """
    said = VGGTPrediction(depth=geometry.depth, points_world=geometry.points_world)
    said.depth_confidence = said.points_confidence = geometry.confidence
    if geometry.camera_to_world is not None:
        if geometry.intrinsics is None:
            raise CapabilityError(
                'poses are trained with their intrinsics, which this backbone finds from its points: add "points" to '
                "model.heads"
            )
        world_to_camera = se3_inverse(geometry.camera_to_world)
        said.pose_encodings = encode_pose(world_to_camera, geometry.intrinsics.detach(), size)[None]
    return said
