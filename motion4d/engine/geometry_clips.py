"""Sequences that lie in memory as clips (procedural scenes), whose cameras and depth are scored one after the other."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.geometry_pictures import geometry_picture
from motion4d.engine.geometry_prediction import PredictedGeometry, predict_geometry
from motion4d.engine.geometry_scoring import score_sequence
from motion4d.engine.inference import Inference
from motion4d.engine.pictures import Picture, image_bytes
from motion4d.engine.report import Report
from motion4d.metrics.depth_protocols import DepthProtocol

_log = logging.getLogger(__name__)


class GeometryClipGroup:
    """name: of the group, "" to take each clip's own data set."""

    def __init__(self, name: str, clips: Clips, inference: Inference, protocol: DepthProtocol) -> None:
        self.name = name
        self.clips = clips
        self.inference = inference
        self.protocol = protocol

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
        said = {name: self._predict(name, clip) for name in self.inference.models}
        poses = None if clip.camera_to_world is None else clip.camera_to_world[0].double().numpy()
        depth = None if clip.depth is None else true_depth(clip)
        return geometry_picture(self._source(clip, index), image_bytes(clip), said, self.protocol, depth, poses)

    def _row(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        depth = None if clip.depth is None else true_depth(clip)
        poses = None if clip.camera_to_world is None else clip.camera_to_world[0].double().numpy()
        scores = score_sequence(self._predict(model, clip), self.protocol, depth=depth, camera_to_world=poses)
        return {"model": model, "group": source.dataset, "sequence": source.sequence, **scores}

    def _predict(self, model: str, clip: Clip) -> PredictedGeometry:
        return predict_geometry(
            self.inference.models[model],
            clip.images[0],
            window=self.inference.window,
            runtime=self.inference.runtime,
            one_by_one=self.protocol.per_frame,
        )

    def _source(self, clip: Clip, index: int) -> Source:
        """Where the clip came from, under the group's name if it has one."""
        source = clip.sources[0] if clip.sources else Source(sequence=f"{index:04d}")
        return Source(self.name or source.dataset, source.sequence, source.frames, source.frame_rate)


def true_depth(clip: Clip) -> np.ndarray:
    """[N, H, W] of a clip of one video that has depth, 0 where it does not hold."""
    assert clip.depth is not None
    depth = clip.depth[0]
    return (depth if clip.valid is None else torch.where(clip.valid[0], depth, 0)).numpy()
