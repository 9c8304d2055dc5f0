"""A pair network that is trained (DUSt3R, MonST3R): pointmaps of each frame of a clip with the next one, both ways.

Every image passes the encoder once, whatever the number of pairs that it stands in. Feed-forward networks of cameras
and depth are trained by the same terms: what they say of a clip is what they say of its pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from torch import nn

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.pairs import PairBackbone, PairPointmaps
from motion4d.clip import Clip, Geometry, Scene
from motion4d.framing import Framing
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points
from motion4d.layers.block import Block
from motion4d.losses.pair_truth import neighbours
from motion4d.models.geometry_training import Stage

HEADS = ("pose", "depth", "confidence")  # of a feed-forward backbone


class ScenesOfPairs(Protocol):
    """What makes scenes of pairs (motion4d.reconstruct.pair_scene)."""

    @property
    def available_heads(self) -> frozenset[str]:
        """Of `geometry`."""
        ...

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """Cameras and depth of one framed clip."""
        ...

    def scene(self, clip: Clip) -> Scene:
        """The same, and what moves."""
        ...


class TrainablePairs(nn.Module):
    """Clip -> PairPointmaps: what the terms of motion4d.losses.pairs read.

    backbone: a pair network, or a feed-forward one with the heads pose, depth and confidence; framing: (H, W) ->
    Framing, what the caller applies before; frozen: patterns (fnmatch) of parameter names, all others are trained;
    gradient_checkpointing: encoder blocks keep their input only and are computed again for their gradient;
    reconstruction: (backbone, framing) -> what makes one scene of a clip's pairs (motion4d.reconstruct.pair_scene),
    so that the model says cameras and depth too; None: it does not.
    """

    reconstruction: ScenesOfPairs | None

    def __init__(
        self,
        backbone: PairBackbone | Backbone,
        framing: Callable[[int, int], Framing],
        *,
        frozen: Sequence[str] = (),
        gradient_checkpointing: bool = False,
        reconstruction: Callable[..., ScenesOfPairs] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(backbone, Backbone) and not backbone.available_heads.issuperset(HEADS):
            raise CapabilityError(
                f"pairs are trained on the heads {', '.join(HEADS)}, but {type(backbone).__name__} offers "
                f"{', '.join(sorted(backbone.available_heads)) or 'none'} (backbone.heads builds them); or choose a "
                "pair network (backbone=monst3r_small)"
            )
        self.backbone = backbone
        self.framing = framing
        scenes = None if reconstruction is None else reconstruction(backbone, framing)
        object.__setattr__(self, "reconstruction", scenes)  # no submodule: its parts are the ones of this model
        self.flow = getattr(scenes, "flow", None)
        freeze(self, frozen)
        for module in backbone.modules():
            if isinstance(module, Block):
                module.gradient_checkpointing = gradient_checkpointing

    @property
    def available_heads(self) -> frozenset[str]:
        """Of `geometry`."""
        return self._scenes.available_heads

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """Cameras and depth of one framed clip (motion4d.models.geometry)."""
        return self._scenes.geometry(clip, heads=heads)

    def scene(self, clip: Clip) -> Scene:
        """The consistent scene of one framed clip."""
        return self._scenes.scene(clip)

    @property
    def _scenes(self) -> ScenesOfPairs:
        if self.reconstruction is None:
            raise CapabilityError("this model says nothing of cameras and depth; choose model=pairs")
        return self.reconstruction

    def forward(self, clip: Clip, progress: Stage | None = None) -> PairPointmaps:
        """The pointmaps of motion4d.losses.pair_truth.neighbours of every video of a framed clip, video by video."""
        pairs = neighbours(clip.num_frames)
        if isinstance(self.backbone, Backbone):
            return pointmaps_of(self.backbone(clip.images, heads=HEADS), pairs)
        frames = self.backbone.encode(clip.images.flatten(0, 1))
        starts = range(0, len(frames), clip.num_frames)
        return self.backbone.decode(frames, [(start + i, start + j) for start in starts for i, j in pairs])


def pointmaps_of(geometry: Geometry, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
    """What the cameras and points of a batch of clips say of these pairs of their frames, clip by clip."""
    points, poses, sure = geometry.points_camera, geometry.camera_to_world, geometry.confidence
    if points is None or poses is None or sure is None:
        raise CapabilityError(f"pairs need the heads {', '.join(HEADS)}, but the backbone did not answer all of them")
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    second_to_first = (se3_inverse(poses[:, first]) @ poses[:, second]).flatten(0, 1)
    return PairPointmaps(
        points[:, first].flatten(0, 1),
        sure[:, first].flatten(0, 1),
        transform_points(second_to_first, points[:, second].flatten(0, 1)),
        sure[:, second].flatten(0, 1),
    )


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze every parameter whose name a pattern matches; a ValueError for a pattern without any."""
    for pattern in patterns:
        found = [parameter for name, parameter in model.named_parameters() if fnmatchcase(name, pattern)]
        if not found:
            shown = next((name for name, _ in model.named_parameters()), "none at all")
            raise ValueError(f"model.frozen: no parameter is called {pattern}; there is, for example, {shown}")
        for parameter in found:
            parameter.requires_grad_(False)
