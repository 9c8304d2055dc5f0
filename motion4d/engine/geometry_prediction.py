"""What a geometry model says of a sequence: depth at the network's resolution, cameras, intrinsics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from motion4d.engine.runtime import Runtime
from motion4d.engine.windows import Window
from motion4d.reconstruct.feed_forward import PlacedFrame, stream_geometry


@dataclass(frozen=True)
class PredictedGeometry:
    """depth: per frame z [h, w] float32 over the whole frame, 0 where nothing is known; camera_to_world [N, 4, 4];
    intrinsics [N, 3, 3] in pixels of the frames; float64.
    """

    depth: tuple[NDArray[np.float32], ...]
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def predict_geometry(
    model: Any, frames: Iterable[Tensor], *, window: Window, runtime: Runtime, one_by_one: bool = False
) -> PredictedGeometry:
    """Run the model over frames [3, H, W] (uint8 or float in [0, 1]), in windows that are aligned to each other.

    one_by_one: every frame alone, as single images; poses and scales then have nothing in common.
    """

    def stream(part: Iterable[Tensor]) -> list[PlacedFrame]:
        placed = stream_geometry(
            model,
            part,
            length=window.length,
            overlap=window.overlap,
            device=runtime.torch_device,
            autocast=runtime.autocast,
        )
        return list(placed)

    placed = [one for frame in frames for one in stream([frame])] if one_by_one else stream(frames)
    return PredictedGeometry(
        tuple(_map(frame).numpy() for frame in placed),
        np.stack([frame.camera_to_world.numpy() for frame in placed]),
        np.stack([frame.native_intrinsics.numpy() for frame in placed]),
    )


def _map(frame: PlacedFrame) -> Tensor:
    """Depth over the whole frame: as the network has it, or at native size where borders were added to the frame."""
    return frame.native_depth if any(frame.framing.border) else frame.framing.uncut(frame.depth)
