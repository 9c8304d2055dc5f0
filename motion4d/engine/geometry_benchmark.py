"""A published data set with depth or cameras in an evaluation: predictions into files, and scores from these files.

So the same numbers come from `python -m eval.depth` and `python -m eval.pose` on the folder that stays behind.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.clip import Source
from motion4d.data.geometry_sequences import GeometrySequences
from motion4d.engine.geometry_files import TRAJECTORY, predicted_maps, read_prediction, write_prediction
from motion4d.engine.geometry_pictures import geometry_picture
from motion4d.engine.geometry_prediction import GeometryInference, PredictedGeometry
from motion4d.engine.pictures import Picture
from motion4d.engine.report import Report
from motion4d.io.depth_maps import DepthMap
from motion4d.io.images import read_image
from motion4d.io.tum_files import read_poses
from motion4d.metrics.depth_folders import score_depth_folder
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.metrics.folders import FolderScores
from motion4d.metrics.pose_folders import score_pose_folder
from motion4d.metrics.pose_protocols import PoseProtocol, Trajectory
from motion4d.viz.grid import spread

_log = logging.getLogger(__name__)

_SHOWN = 5  # frames of a sequence in a picture


class GeometryBenchmarkGroup:
    """A data set with the models that are run on it: predictions lie in folder/MODEL/NAME/SEQUENCE (geometry_files).

    depth_protocol, pose_protocol: what is scored; None: not that.
    """

    def __init__(
        self,
        data: GeometrySequences,
        inference: GeometryInference,
        folder: Path,
        depth_protocol: DepthProtocol | None,
        pose_protocol: PoseProtocol | None,
    ) -> None:
        self.name = data.name
        self.data = data
        self.inference = inference
        self.depth_protocol = depth_protocol
        self.pose_protocol = pose_protocol
        self._folder = folder

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.data)

    def folder(self, model: str) -> Path:
        """Where the predictions of a model lie."""
        return self._folder / model / self.name

    def run(self, index: int, report: Report) -> None:
        """Predict one sequence with every model; what fails is noted in the report."""
        files = self.data.sequences[index]
        for model in self.inference.models:
            try:
                write_prediction(self.inference, model, self.data.frames(index), self.folder(model), files.timestamps)
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                _log.warning("%s/%s failed: %s", self.name, files.name, error)
                _log.debug("traceback", exc_info=True)
                report.failed[f"{self.name}/{files.name}"] = f"{type(error).__name__}: {error}"
                return

    def finish(self, report: Report) -> None:
        """Score the files of every sequence that all models have predicted."""
        names = [files.name for files in self.data.sequences]
        whole = [k for k, name in enumerate(names) if f"{self.name}/{name}" not in report.failed]
        for model in self.inference.models:
            parts = [scores for scores in (self._depth(model, whole), self._poses(model, whole)) if scores is not None]
            for scores in parts:
                for name, reason in scores.failures.items():
                    _log.warning("%s/%s cannot be scored: %s", self.name, name, reason)
                    report.failed[f"{self.name}/{name}"] = reason
            rows: dict[str, dict[str, Any]] = {}
            for row in (row for scores in parts for row in scores.rows):
                about = {"model": model, "group": self.name, "sequence": row["sequence"], "frames": row["frames"]}
                figures = {key: value for key, value in row.items() if key not in ("sequence", "object", "frames")}
                rows[row["sequence"]] = rows.get(row["sequence"], about) | figures
            if rows:
                report.rows += rows.values()
                report.means.setdefault(model, {})[self.name] = self._means(parts, rows)

    def picture(self, index: int) -> Picture:
        """Some frames with the depth of every model beside the truth, and whole trajectories."""
        files = self.data.sequences[index]
        chosen = spread(len(files.images), _SHOWN)
        said, whole = {}, {}
        for model in self.inference.models:
            prediction = read_prediction(self.folder(model) / files.name)
            whole[model] = prediction.camera_to_world
            said[model] = PredictedGeometry(tuple(prediction.depth[k] for k in chosen), whole[model])
        depth = None if self.depth_protocol is None else [self.data.depth(index, k) for k in chosen]
        poses = None if self.pose_protocol is None else self.data.cameras(index).camera_to_world
        images = [read_image(files.images[k]) for k in chosen]
        return geometry_picture(Source(self.name, files.name), images, said, self.depth_protocol, depth, poses)

    def _depth(self, model: str, sequences: list[int]) -> FolderScores | None:
        if self.depth_protocol is None:
            return None
        truths, predictions = {}, {}
        for index in sequences:
            files = self.data.sequences[index]
            if files.depth is None:
                raise ValueError(f"{self.name} has no depth to score by the protocol {self.depth_protocol.name}")
            truths[files.name] = [DepthMap(stem, partial(files.depth, k)) for k, stem in enumerate(files.stems)]
            predictions[files.name] = predicted_maps(self.folder(model) / files.name)
        return score_depth_folder(self.depth_protocol, truths, predictions)

    def _poses(self, model: str, sequences: list[int]) -> FolderScores | None:
        if self.pose_protocol is None:
            return None
        truths = {self.data.sequences[k].name: partial(self._truth, k) for k in sequences}
        predictions = {name: partial(_read, self.folder(model) / name / TRAJECTORY) for name in truths}
        return score_pose_folder(self.pose_protocol, truths, predictions)

    def _truth(self, index: int) -> Trajectory:
        poses = self.data.cameras(index).camera_to_world
        if poses is None:
            raise ValueError("the data set has no cameras to compare with")
        return Trajectory(poses, np.arange(len(poses), dtype=np.float64))

    def _means(self, parts: list[FolderScores], rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
        protocols = (("depth", self.depth_protocol), ("pose", self.pose_protocol))
        about = {
            "protocol": ", ".join(f"{what} {protocol.name}" for what, protocol in protocols if protocol is not None),
            "sequences": len(rows),
            "frames": sum(row["frames"] for row in rows.values()),
        }
        return about | {name: value for scores in parts for name, value in scores.overall.items()}


def _read(file: Path) -> Trajectory:
    stamps, poses = read_poses(file)
    return Trajectory(poses, stamps)
