"""Cameras and depth of sequences that lie in memory as clips, scored one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.geometry_files import write_frames
from motion4d.engine.geometry_pictures import geometry_picture
from motion4d.engine.geometry_prediction import GeometryInference, PredictedGeometry
from motion4d.engine.geometry_scoring import score_sequence
from motion4d.engine.memory_group import MemoryGroup, stems_of
from motion4d.engine.pictures import Picture, image_bytes
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.viz.grid import spread

_SHOWN = 5  # frames of a sequence in a picture


class GeometryClipGroup(MemoryGroup):
    """folder: for predictions in files, or None."""

    def __init__(
        self, name: str, clips: Clips, inference: GeometryInference, protocol: DepthProtocol, folder: Path | None = None
    ) -> None:
        super().__init__(name, clips, inference.models)
        self.inference = inference
        self.protocol = protocol
        self.folder = folder

    def picture(self, index: int) -> Picture:
        """Depth and trajectories of every model beside the truth."""
        clip = self.clips[index]
        said = {name: self.inference.predict(name, clip.images[0]) for name in self.models}
        depth, poses = truth_of(clip)
        images = image_bytes(clip)
        chosen = spread(len(images), _SHOWN)
        shown = {
            name: PredictedGeometry(tuple(one.depth[k] for k in chosen), one.camera_to_world)
            for name, one in said.items()
        }
        true = None if depth is None else [depth[k] for k in chosen]
        frames = [images[k] for k in chosen]
        return geometry_picture(self.source(clip, index), frames, shown, self.protocol, true, poses)

    def scores(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        """See MemoryGroup."""
        depth, poses = truth_of(clip)
        said = list(self.inference.stream(model, clip.images[0]))
        if self.folder is not None:
            target = self.folder / model / source.dataset / source.sequence
            write_frames(target, iter(said), stems_of(source, len(said)), None)
        return score_sequence(PredictedGeometry.of(said), self.protocol, depth=depth, camera_to_world=poses)


def truth_of(clip: Clip) -> tuple[NDArray[np.floating] | None, NDArray[np.float64] | None]:
    """Depth [N, H, W], 0 where it does not hold, and camera_to_world [N, 4, 4] of a clip of one video."""
    depth = None if clip.depth is None else clip.depth[0]
    if depth is not None and clip.valid is not None:
        depth = torch.where(clip.valid[0], depth, 0)
    poses = None if clip.camera_to_world is None else clip.camera_to_world[0].double().numpy()
    return None if depth is None else depth.numpy(), poses
