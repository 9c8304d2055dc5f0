"""task=features: what every layer of a backbone makes of your own video, as pictures.

OUTPUT/[SEQUENCE/]layer_00.png and so on: the frames, and below them the maps of the layer's block that attends inside
frames and of the one that attends over all frames (motion4d.backbones.feature_maps), each from its least value (dark)
to its largest (bright), as PAGE-4D (2025) shows them. In a folder of sequences a broken one does not stop the others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.backbones.feature_maps import FeatureMaps, feature_maps
from motion4d.engine.collection import opened, run_sequences
from motion4d.engine.errors import explained_memory
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import prepare_inference
from motion4d.engine.weights import load_task_weights
from motion4d.io.frames import FrameSource
from motion4d.io.images import write_image
from motion4d.resampling import resize_maps
from motion4d.viz.colours import heat
from motion4d.viz.grid import picture_grid

_log = logging.getLogger(__name__)

_ROWS = {"frame": "inside\nframes", "global": "over all\nframes"}


class Features:
    """The task. model: has a token backbone (motion4d.backbones.base) and a framing; checkpoint, shipped, pretrained:
    motion4d.engine.weights; fps, max_frames: motion4d.io.frames, and all of these frames pass the network together.
    """

    def __init__(
        self,
        model: Any,
        input: str | Path | None,
        *,
        output: str | Path,
        runtime: Runtime | None = None,
        pretrained: Mapping[str, str] | None = None,
        checkpoint: str | None = "none",
        shipped: str | None = None,
        fps: float | None = None,
        max_frames: int = 6,
    ) -> None:
        self.model = model
        self.input = input
        self.output = Path(output)
        self.runtime = runtime or Runtime()
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.shipped = shipped
        self.fps = fps
        self.max_frames = max_frames

    def run(self) -> dict[str, Any]:
        """Draw every sequence; returns name -> number of frames and layers."""
        sources = opened(self.input, output=self.output, runtime=self.runtime, fps=self.fps, max_frames=self.max_frames)
        load_task_weights(
            self.model,
            checkpoint=self.checkpoint,
            default="shipped",
            shipped=self.shipped,
            pretrained=self.pretrained,
        )
        prepare_inference(self.model, self.runtime)
        return run_sequences(sources, self.run_sequence, output=self.output, figure="layers")

    def run_sequence(self, source: FrameSource) -> dict[str, Any]:
        """The pictures of one sequence, in its folder below the output."""
        source.check()
        advice = (
            f"not enough memory for {self.max_frames} frames of {source.name}; try max_frames={self.max_frames // 2}"
        )
        with explained_memory(advice), self.runtime.autocast():
            images = self.model.framing(*source.size).images(torch.stack(list(source)).float()[None] / 255)
            maps = feature_maps(self.model.backbone, images.to(self.runtime.torch_device))
        frames = list((images[0] * 255).round().byte().permute(0, 2, 3, 1).numpy())
        layers = max(one.layer for one in maps) + 1
        for layer in range(layers):
            rows = {"image": frames, **{_ROWS[one.scope]: _coloured(one, images) for one in maps if one.layer == layer}}
            title = f"{source.name}: layer {layer} of {layers}, mean over channels"
            write_image(self.output / source.folder / f"layer_{layer:02d}.png", picture_grid(rows, title))
        _log.info("%s: %d layers of %d frames", self.output / source.folder, layers, len(frames))
        return {"frames": len(frames), "layers": layers}


def _coloured(maps: FeatureMaps, images: Tensor) -> list[NDArray[np.uint8]]:
    """One picture [H, W, 3] per frame, at the images' size."""
    large = resize_maps(maps.values[0].cpu(), (images.shape[-2], images.shape[-1]), mode="bilinear").numpy()
    return [heat((one - one.min()) / max(float(one.max() - one.min()), 1e-12)) for one in large]
