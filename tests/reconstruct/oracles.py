"""A pair backbone and a flow estimator that know the synthetic scene; frame k's picture is grey k / 255."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.clip import Clip, Flow
from tests.reconstruct.scenes import pointmaps_of


def pictures(of: Any) -> Tensor:
    """[N, 3, H, W] in [0, 1]; only the number of the frame is to be seen."""
    return (torch.arange(of.n) / 255)[:, None, None, None].expand(-1, 3, of.h, of.w).contiguous()


def numbers(images: Tensor) -> list[int]:
    """Which frames these [N, 3, H, W] are."""
    return [round(255 * float(image[0, 0, 0])) for image in images]


class KnowsPoints(PairBackbone):
    """The pointmaps of the scene's pairs with `noise`, every pair in a scale of its own."""

    patch_size = 8
    token_channels = 1

    def __init__(self, scene: Any, *, noise: float = 0.0) -> None:
        super().__init__()
        self.scene = scene
        self.noise = noise

    def encode(self, images: Tensor) -> EncodedFrames:
        """Tokens are the frames' numbers."""
        grid = (images.shape[-2] // 8, images.shape[-1] // 8)
        tokens = torch.tensor(numbers(images), dtype=torch.float32)[:, None, None]
        return EncodedFrames(tokens.expand(-1, grid[0] * grid[1], 1), grid)

    def decode(self, frames: EncodedFrames, pairs: Sequence[tuple[int, int]]) -> PairPointmaps:
        """Of the scene's frames that `frames` are."""
        number = frames.tokens[:, 0, 0].int().tolist()
        return pointmaps_of(self.scene, [(number[i], number[j]) for i, j in pairs], noise=self.noise)


class KnowsFlow:
    """The scene's flow with noise of `sigma` pixels."""

    in_workers = True

    def __init__(self, scene: Any, *, sigma: float = 0.0) -> None:
        self.scene = scene
        self.sigma = sigma

    def __call__(self, clip: Clip) -> Flow:
        """Both directions between neighbours."""
        rows = [numbers(images) for images in clip.images]
        forward = [[self._field(i, j) for i, j in zip(row, row[1:], strict=False)] for row in rows]
        backward = [[self._field(j, i) for i, j in zip(row, row[1:], strict=False)] for row in rows]
        return Flow(*(torch.stack([torch.stack(fields) for fields in side]) for side in (forward, backward)))

    def _field(self, i: int, j: int) -> Tensor:
        return torch.from_numpy(self.scene.noisy_flow(i, j, self.sigma, 0))
