"""Networks that know MonST3R's synthetic scene, an aligner without optimisation, and somebody who knows what moves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.backbones.base import Backbone
from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.clip import Clip, Flow, Geometry
from motion4d.reconstruct.observations import Aligned, Known, Observations
from motion4d.reconstruct.tree_alignment import TreeAlignment
from tests.reference.procedures.monst3r_alignment import maps_of

PATCH = 8


def images_of(scene: Any) -> Tensor:
    """[N, 3, H, W] in [0, 1]: the red of frame k says k, so that a network knows which it sees."""
    return (torch.arange(scene.n) / 255)[:, None, None, None].expand(-1, 3, scene.h, scene.w).clone()


def numbers_of(images: Tensor) -> list[int]:
    """Which frames these are."""
    return (images[:, 0, 0, 0] * 255).round().long().tolist()


class KnowingPairs(PairBackbone):
    """A pair network; remembers what passes its encoder. maps: what it says of ordered pairs, by frame number."""

    patch_size, token_channels = PATCH, 1

    def __init__(self, scene: Any, **pairwise: Any) -> None:
        super().__init__()
        self.scene = scene
        self.pairwise = {"noise": 0.0, "scale_spread": 0.3, "seed": 0} | pairwise
        self.encoded: list[int] = []

    def encode(self, images: Tensor) -> EncodedFrames:
        """The numbers of the frames as their tokens."""
        numbers = numbers_of(images)
        self.encoded += numbers
        grid = (self.scene.h // PATCH, self.scene.w // PATCH)
        return EncodedFrames(torch.tensor(numbers)[:, None, None].expand(-1, grid[0] * grid[1], 1), grid)

    def decode(self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
        """Every pair in a scale of its own."""
        numbers = frames.tokens[:, 0, 0].tolist()
        return maps_of(self.scene, [(numbers[i], numbers[j]) for i, j in pairs], self.pairwise)


class KnowingNetwork(Backbone):
    """A feed-forward network whose every pass has a world and a scale of its own."""

    patch_size, special_tokens = PATCH, 0
    available_heads = frozenset({"pose", "depth", "confidence"})

    def __init__(self, scene: Any) -> None:
        super().__init__()
        self.scene = scene
        self.passes: list[list[int]] = []

    def forward(self, images: Tensor, *, heads: Collection[str] = (), taps: Collection[str] = ()) -> Geometry:
        """The truth of one clip."""
        numbers = numbers_of(images[0])
        self.passes.append(numbers)
        scale = 1 + 0.5 * len(self.passes)
        poses = np.linalg.inv(self.scene.poses[numbers[-1]]) @ self.scene.poses[numbers]
        poses[:, :3, 3] *= scale
        points = torch.from_numpy(np.stack([self.scene.points(k) for k in numbers]) * scale).float()[None]
        return Geometry(
            camera_to_world=torch.from_numpy(poses).float()[None],
            points_camera=points,
            depth=points[..., 2],
            confidence=torch.full(points.shape[:-1], 0.3),
        )


class Watched:
    """The spanning tree as an aligner; keeps what it was given, and says so much as an optimisation would."""

    def __init__(self, *, needs_flow: bool = False) -> None:
        self.needs_flow = needs_flow
        self.seen: list[Observations] = []

    def __call__(self, seen: Observations, known: Known | None = None) -> Aligned:
        """See motion4d.reconstruct.observations."""
        self.seen.append(seen)
        losses = {"total": 0.25 if torch.is_grad_enabled() else torch.nan}
        return replace(TreeAlignment()(seen, known), losses=losses, optimised=("depth", "poses"))


class Said:
    """Dynamics: what `moving` [N, H, W] says of the frames by their numbers; None: nobody knows."""

    needs_maps = False

    def __init__(self, moving: Tensor | None = None, *, needs_flow: bool = False) -> None:
        self.moving = moving
        self.needs_flow = needs_flow

    def __call__(self, seen: Observations, backbone: PairBackbone, frames: EncodedFrames) -> Observations:
        """See motion4d.reconstruct.observations."""
        assert seen.images is not None
        return replace(seen, moving=None if self.moving is None else self.moving[numbers_of(seen.images)])


class CountedFlow:
    """Nothing moves; counts the pairs that it is asked for."""

    in_workers = True

    def __init__(self) -> None:
        self.pairs = 0

    def __call__(self, clip: Clip) -> Flow:
        """Zeros."""
        self.pairs += len(clip.images)
        field = clip.images.new_zeros(len(clip.images), clip.num_frames - 1, 2, *clip.size)
        return Flow(field, field.clone())
