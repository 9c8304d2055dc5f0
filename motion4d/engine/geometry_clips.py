"""Sequences that lie in memory as clips (procedural scenes), whose cameras and depth are scored one after the other."""

from __future__ import annotations

import logging
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
from motion4d.engine.pictures import Picture, image_bytes
from motion4d.engine.report import Report
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.viz.grid import spread

_log = logging.getLogger(__name__)

_SHOWN = 5  # frames of a sequence in a picture


class GeometryClipGroup:
    """name: of the group, "" to take each clip's own data set; folder: for predictions in files, or None."""

    def __init__(
        self, name: str, clips: Clips, inference: GeometryInference, protocol: DepthProtocol, folder: Path | None = None
    ) -> None:
        self.name = name
        self.clips = clips
        self.inference = inference
        self.protocol = protocol
        self.folder = folder

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.clips)

    def run(self, index: int, report: Report) -> None:
        """Score every model on one sequence; what fails is noted in the report."""
        name = f"{self.name}/{index}"
        try:
            clip = self.clips[index]
            source = self._source(clip, index)
            name = f"{source.dataset}/{source.sequence}"
            rows = [self._row(model, clip, source) for model in self.inference.models]
        except (ValueError, OSError, RuntimeError) as error:
            _log.warning("%s failed: %s", name, error)
            _log.debug("traceback", exc_info=True)
            report.failed[name] = f"{type(error).__name__}: {error}"
            return
        report.rows.extend(rows)

    def finish(self, report: Report) -> None:
        """Nothing is left to do: the means follow from the rows."""

    def picture(self, index: int) -> Picture:
        """Depth and trajectories of every model beside the truth."""
        clip = self.clips[index]
        said = {name: self.inference.predict(name, clip.images[0]) for name in self.inference.models}
        depth, poses = truth_of(clip)
        images = image_bytes(clip)
        chosen = spread(len(images), _SHOWN)
        shown = {
            name: PredictedGeometry(tuple(one.depth[k] for k in chosen), one.camera_to_world)
            for name, one in said.items()
        }
        true = None if depth is None else [depth[k] for k in chosen]
        frames = [images[k] for k in chosen]
        return geometry_picture(self._source(clip, index), frames, shown, self.protocol, true, poses)

    def _row(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        depth, poses = truth_of(clip)
        said = list(self.inference.stream(model, clip.images[0]))
        if self.folder is not None:
            stems = source.frames or tuple(f"{k:05d}" for k in range(len(said)))
            write_frames(self.folder / model / source.dataset / source.sequence, iter(said), stems, None)
        scores = score_sequence(PredictedGeometry.of(said), self.protocol, depth=depth, camera_to_world=poses)
        return {"model": model, "group": source.dataset, "sequence": source.sequence, **scores}

    def _source(self, clip: Clip, index: int) -> Source:
        """Where the clip came from, under the group's name if it has one."""
        source = clip.sources[0] if clip.sources else Source(sequence=f"{index:04d}")
        return Source(self.name or source.dataset, source.sequence, source.frames, source.frame_rate)


def truth_of(clip: Clip) -> tuple[NDArray[np.floating] | None, NDArray[np.float64] | None]:
    """Depth [N, H, W], 0 where it does not hold, and camera_to_world [N, 4, 4] of a clip of one video."""
    depth = None if clip.depth is None else clip.depth[0]
    if depth is not None and clip.valid is not None:
        depth = torch.where(clip.valid[0], depth, 0)
    poses = None if clip.camera_to_world is None else clip.camera_to_world[0].double().numpy()
    return None if depth is None else depth.numpy(), poses
