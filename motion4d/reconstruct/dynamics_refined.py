"""Any dynamics, made better by a refiner (motion4d.refine: SAM 2 through its neighbours), or just a little larger."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.pairs import EncodedFrames, PairBackbone
from motion4d.reconstruct.observations import Dynamics, Observations


class MaskRefiner(Protocol):
    """What is needed of a refiner; those of motion4d.refine are such."""

    def load(self) -> None:
        """Read what has to be read from files, if that was not done before."""
        ...

    def __call__(self, images: Tensor, probabilities: Tensor, *, threshold: float) -> Tensor:
        """images [N, 3, H, W] in [0, 1], probabilities [N, H, W] that a pixel moves -> masks [N, H, W] bool."""
        ...


class RefinedDynamics:
    """What `dynamics` says, through `refiner` and then dilated by `enlarge` pixels; either may be left out.

    MonST3R aligns with the union of its masks and SAM 2's (the refiner's `combine: or`).
    """

    def __init__(self, dynamics: Dynamics, *, refiner: MaskRefiner | None = None, enlarge: int = 0) -> None:
        if enlarge < 0:
            raise ValueError(f"masks are enlarged by a number of pixels, 0 for none, not {enlarge}")
        self.dynamics = dynamics
        self.refiner = refiner
        self.enlarge = enlarge
        self.needs_flow = dynamics.needs_flow
        self.needs_maps = dynamics.needs_maps

    @torch.no_grad()
    def __call__(self, seen: Observations, backbone: PairBackbone, frames: EncodedFrames) -> Observations:
        """The observations with refined `moving`; without images a ValueError."""
        seen = self.dynamics(seen, backbone, frames)
        moving = seen.moving
        if moving is not None and self.refiner is not None:
            if seen.images is None:
                raise ValueError("masks are refined by looking at the images, but these observations have none")
            self.refiner.load()
            if isinstance(self.refiner, nn.Module):
                self.refiner.to(seen.images.device)
            moving = self.refiner(seen.images, moving.float(), threshold=0.5)
        return replace(seen, moving=None if moving is None else enlarged(moving, self.enlarge))


def enlarged(masks: Tensor, pixels: int) -> Tensor:
    """Masks [N, H, W] bool, dilated by a square of 2 `pixels` + 1."""
    if not pixels:
        return masks
    return F.max_pool2d(masks.float()[:, None], 2 * pixels + 1, stride=1, padding=pixels)[:, 0] > 0
