"""How an evaluation runs its models: the same windows, threshold and runtime for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from motion4d.clip import Clip
from motion4d.engine.refining import refine_clip
from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window, segment_clip
from motion4d.refine.base import Refiner

OURS = "ours"  # the model that a run is about; the others are baselines


@dataclass(frozen=True)
class Inference:
    """models: name -> model; threshold: probability above which a pixel moves; refine: for our model only."""

    models: Mapping[str, Any]
    window: Window
    threshold: float
    runtime: Runtime
    refine: Refiner | None = None

    def refiner(self, name: str) -> Refiner | None:
        """The refiner of the model `name`, if it has one."""
        return self.refine if name == OURS else None

    def segment(self, name: str, clip: Clip) -> torch.Tensor:
        """Masks [N, H, W] bool, on the CPU, that the model `name` gives a clip of one video that lies in memory."""
        device = self.runtime.torch_device
        moved = Clip(clip.images.to(device), estimated_flow=clip.estimated_flow, sources=clip.sources)
        motion = segment_clip(self.models[name], moved, self.window, autocast=self.runtime.autocast)
        refiner = self.refiner(name)
        if refiner is None:
            return motion.masks(self.threshold)[0].cpu()
        probabilities = motion.probabilities[0]
        return refine_clip(
            moved.images[0], probabilities, refiner, runtime=self.runtime, threshold=self.threshold
        ).cpu()
