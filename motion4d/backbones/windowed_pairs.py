"""Feed-forward backbones as pair backbones: what a pass over many frames says of every pair among them.

A pass gives all its frames' points and cameras, and so the pointmaps of any pair in it, the second frame's taken to the
first one's camera. Cameras of different passes share no world, and need none: an aligner brings the pairs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points

_TYPICAL = 5.0  # confidence of a frame's median pixel; pair networks say 1 where they know nothing


@dataclass(frozen=True)
class Pass:
    """Frames that the network sees together, and the rows of the wanted pairs that it answers."""

    frames: list[int]
    rows: list[int]


class WindowedPairs(PairBackbone):
    """backbone: any with the heads pose, and depth or points; length: frames of a pass, at most.

    Passes are windows of neighbouring frames that overlap by half; pairs that lie in no window share further passes.
    Tokens are the patches of the images themselves. Confidence is 1 + 4 c / median(c), with the backbone's own c: in
    the range of the pair networks, whatever the range of the backbone; 1 where there is no finite point in front of the
    camera.
    """

    def __init__(self, backbone: Backbone, *, length: int = 12) -> None:
        super().__init__()
        if length < 2:
            raise ValueError(f"a pass needs at least two frames, not {length}")
        dense = "depth" if "depth" in backbone.available_heads else "points"
        lacking = sorted({"pose", dense} - backbone.available_heads)
        if lacking:
            raise CapabilityError(
                f"pointmaps of pairs need the heads pose and depth or points, but {type(backbone).__name__} has no "
                f"{' and no '.join(lacking)}; choose a pair network (backbone=monst3r), backbone=page4d_conv, or build "
                "the backbone with these heads (backbone.heads)"
            )
        self.backbone = backbone
        self.length = length
        self.patch_size = backbone.patch_size
        self.token_channels = 3 * backbone.patch_size**2
        self._heads = {"pose", dense} | ({"confidence"} & backbone.available_heads)

    def encode(self, images: Tensor) -> EncodedFrames:
        """Images [N, 3, H, W] in [0, 1] -> their patches: nothing is computed yet."""
        patches = F.pixel_unshuffle(images, self.patch_size)
        return EncodedFrames(patches.flatten(2).transpose(1, 2), (patches.shape[2], patches.shape[3]))

    def decode(self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
        """The pointmaps of the ordered pairs (i, j) of `frames`."""
        if not pairs:
            raise ValueError("there are no pairs to decode")
        images = F.pixel_shuffle(frames.tokens.transpose(1, 2).unflatten(2, frames.grid), self.patch_size)
        size = images.shape[-2:]
        points = [images.new_empty(len(pairs), 3, *size, dtype=torch.float32).permute(0, 2, 3, 1) for _ in range(2)]
        confidence = [images.new_empty(len(pairs), *size, dtype=torch.float32) for _ in range(2)]
        for part in plan_passes(len(frames), pairs, self.length):
            seen, sure, poses = self._answer(images[part.frames])
            place = {frame: k for k, frame in enumerate(part.frames)}
            first, second = ([place[pairs[row][side]] for row in part.rows] for side in (0, 1))
            relative = se3_inverse(poses[first]) @ poses[second]
            points[0][part.rows], confidence[0][part.rows] = seen[first], sure[first]
            points[1][part.rows], confidence[1][part.rows] = transform_points(relative, seen[second]), sure[second]
        return PairPointmaps(points[0], confidence[0], points[1], confidence[1])

    def _answer(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the frames of a pass: points_camera [n, H, W, 3], confidence [n, H, W] and camera_to_world [n, 4, 4]."""
        said = self.backbone(images[None], heads=self._heads)
        if said.points_camera is None or said.camera_to_world is None:
            raise CapabilityError(f"{type(self.backbone).__name__} gives no cameras or no points of these heads")
        points, poses = said.points_camera[0].float(), said.camera_to_world[0].float()
        own = torch.ones_like(points[..., 0]) if said.confidence is None else said.confidence[0].float()
        known = points.isfinite().all(-1) & (points[..., 2] > 0) & own.isfinite() & (own >= 0)
        if not (known.any() and poses.isfinite().all()):
            raise ValueError("the backbone's cameras are not finite, or no point lies before one; check the weights")
        middle = own[known].median().clamp_min(1e-12)
        confidence = torch.where(known, 1 + (_TYPICAL - 1) * own / middle, 1.0)
        return torch.where(known[..., None], points, points[known].mean(0)), confidence, poses


def plan_passes(frames: int, pairs: Sequence[tuple[int, int]], length: int) -> list[Pass]:
    """Passes of at most `length` of the `frames` that answer every pair once."""
    stride = max(1, length // 2)
    starts = range(0, max(frames - length, 0) + stride, stride)
    windows = [list(range(max(0, min(start, frames - length)), min(start + length, frames))) for start in starts]
    rest = dict(enumerate(pairs))
    passes = [_take(window, rest) for window in windows]
    while rest:
        together: set[int] = set()
        for pair in rest.values():
            if len(together | {*pair}) <= length:
                together |= {*pair}
        passes.append(_take(sorted(together), rest))
    return [part for part in passes if part.rows]


def _take(frames: list[int], rest: dict[int, tuple[int, int]]) -> Pass:
    """The pass of these frames with those rows of `rest` that lie in it, which are removed from there."""
    inside = set(frames)
    rows = [row for row, pair in rest.items() if inside.issuperset(pair)]
    for row in rows:
        del rest[row]
    return Pass(frames, rows)
