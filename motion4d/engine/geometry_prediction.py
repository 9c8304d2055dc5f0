"""What a geometry model says of a sequence: depth at the network's resolution, cameras, intrinsics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Clip, Geometry
from motion4d.engine.inference import OURS, Inference
from motion4d.framing import Framing
from motion4d.reconstruct.feed_forward import PlacedFrame, stream_geometry

Rule = Callable[[int, int], Framing]  # native (H, W) -> framing


@dataclass(frozen=True)
class PredictedFrame:
    """depth [h, w] float32 over the whole frame, 0 where nothing is known; camera_to_world [4, 4] and intrinsics [3, 3]
    (pixels of the frame) float64.
    """

    depth: NDArray[np.float32]
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


@dataclass(frozen=True)
class PredictedGeometry:
    """The same of N frames: depth maps; camera_to_world [N, 4, 4]."""

    depth: tuple[NDArray[np.float32], ...]
    camera_to_world: NDArray[np.float64]

    @classmethod
    def of(cls, frames: Sequence[PredictedFrame]) -> PredictedGeometry:
        """Frames of one sequence."""
        return cls(tuple(one.depth for one in frames), np.stack([one.camera_to_world for one in frames]))


@dataclass(frozen=True)
class GeometryInference:
    """How an evaluation runs geometry models.

    one_by_one: every frame alone, as single images; poses and scales then have nothing in common. world_z: what counts
    as depth is z in the first camera's frame, as in PAGE-4D's published numbers, instead of the frame's own. framing:
    of our model, instead of its own; baselines keep theirs.
    """

    inference: Inference
    one_by_one: bool = False
    world_z: bool = False
    framing: Rule | None = None

    @property
    def models(self) -> Iterable[str]:
        """Their names."""
        return self.inference.models

    def stream(self, name: str, frames: Iterable[Tensor]) -> Iterator[PredictedFrame]:
        """Run the model `name` over frames [3, H, W], in aligned windows; memory is that of one window."""
        model = self.inference.models[name]
        if self.framing is not None and name == OURS:
            model = _Reframed(model, self.framing)
        parts: Iterable[Iterable[Tensor]] = ([frame] for frame in frames) if self.one_by_one else [frames]
        for frame in (one for part in parts for one in self._placed(model, part)):
            yield PredictedFrame(
                self._depth(frame).numpy(), frame.camera_to_world.numpy(), frame.native_intrinsics.numpy()
            )

    def predict(self, name: str, frames: Iterable[Tensor]) -> PredictedGeometry:
        """The same at once."""
        return PredictedGeometry.of(list(self.stream(name, frames)))

    def _placed(self, model: Any, frames: Iterable[Tensor]) -> Iterator[PlacedFrame]:
        window, runtime = self.inference.window, self.inference.runtime
        return stream_geometry(
            model,
            frames,
            length=window.length,
            overlap=window.overlap,
            device=runtime.torch_device,
            autocast=runtime.autocast,
        )

    def _depth(self, frame: PlacedFrame) -> Tensor:
        """As the network has it, over the whole frame; at native size where borders were added around the frame."""
        depth = frame.points_world[..., 2].clamp_min(0) if self.world_z else frame.depth
        return frame.framing.undo_values(depth) if any(frame.framing.border) else frame.framing.uncut(depth)


class _Reframed:
    """A geometry model behind another framing than its own."""

    def __init__(self, model: Any, framing: Rule) -> None:
        self.available_heads: frozenset[str] = model.available_heads
        self.framing = framing
        self._model = model

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """Of a clip that is framed so."""
        said: Geometry = self._model.geometry(clip, heads=heads)
        return said
