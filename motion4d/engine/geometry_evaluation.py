"""Evaluation of cameras and depth: for models with `geometry(clip, heads=...)` (motion4d.models.geometry)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motion4d.engine.evaluation import Group
from motion4d.engine.geometry_benchmark import GeometryBenchmarkGroup
from motion4d.engine.geometry_clips import GeometryClipGroup
from motion4d.engine.geometry_prediction import GeometryInference, Rule
from motion4d.engine.geometry_scoring import GEOMETRY_FIGURES
from motion4d.engine.inference import Inference
from motion4d.engine.scoring import Figures
from motion4d.metrics.depth_protocols import NEAR, depth_protocol_named
from motion4d.metrics.pose_protocols import pose_protocol_named


@dataclass(frozen=True)
class GeometryEvaluation:
    """depth_protocol, pose_protocol: names of those to score by (motion4d.metrics.depth_protocols, pose_protocols).

    None: the data set's own, and no score if it has none; for clips in memory `near`, one scale per sequence and no
    sky. A depth protocol of single frames shows the network every frame alone, and poses are not scored then.
    world_z: z in the first camera's frame counts as depth, which PAGE-4D's published numbers are made with.
    framing: how our model sees frames in an evaluation (motion4d.framing has the rules), instead of its own.
    """

    depth_protocol: str | None = None
    pose_protocol: str | None = None
    world_z: bool = False
    framing: Rule | None = None

    def __post_init__(self) -> None:
        if self.depth_protocol is not None:
            depth_protocol_named(self.depth_protocol)
        if self.pose_protocol is not None:
            pose_protocol_named(self.pose_protocol)

    @property
    def figures(self) -> Figures:
        """See motion4d.engine.evaluation.Scoring."""
        return replace(GEOMETRY_FIGURES, protocol=self.depth_protocol or NEAR.name)

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        """See motion4d.engine.evaluation.Scoring; predictions go to FOLDER/predictions/MODEL/DATASET/SEQUENCE."""
        for name, model in inference.models.items():
            if not hasattr(model, "geometry"):
                raise ValueError(f"the model {name} says nothing of cameras and depth: choose evaluation=motion")
        return [self._group(name, one, inference, folder / "predictions", save_all) for name, one in data.items()]

    def _group(self, name: str, data: Any, inference: Inference, folder: Path, save_all: bool) -> Group:
        on_disk = hasattr(data, "depth_protocol")
        chosen = self.depth_protocol or (data.depth_protocol if on_disk else NEAR.name)
        depth = None if chosen is None else depth_protocol_named(chosen)
        alone = depth is not None and depth.per_frame
        ours = GeometryInference(inference, alone, self.world_z, self.framing)
        if not on_disk:
            assert depth is not None
            return GeometryClipGroup(name, data, ours, depth, folder if save_all else None)
        poses = None if alone else self.pose_protocol or data.pose_protocol
        return GeometryBenchmarkGroup(data, ours, folder, depth, None if poses is None else pose_protocol_named(poses))
