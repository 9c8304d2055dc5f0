"""Evaluation of cameras and depth: for models with `geometry(clip, heads=...)` (motion4d.models.geometry)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motion4d.engine.evaluation import Group
from motion4d.engine.geometry_clips import GeometryClipGroup
from motion4d.engine.geometry_scoring import GEOMETRY_FIGURES
from motion4d.engine.inference import Inference
from motion4d.engine.scoring import Figures
from motion4d.metrics.depth_protocols import NEAR, depth_protocol_named


@dataclass(frozen=True)
class GeometryEvaluation:
    """depth_protocol: name of the one to score depth by (motion4d.metrics.depth_protocols).

    None: the data set's own; for clips in memory `near`, one scale per sequence and no sky.
    """

    depth_protocol: str | None = None

    def __post_init__(self) -> None:
        if self.depth_protocol is not None:
            depth_protocol_named(self.depth_protocol)

    @property
    def figures(self) -> Figures:
        """See motion4d.engine.evaluation.Scoring."""
        return replace(GEOMETRY_FIGURES, protocol=self.depth_protocol or NEAR.name)

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        """See motion4d.engine.evaluation.Scoring."""
        for name, model in inference.models.items():
            if not hasattr(model, "geometry"):
                raise ValueError(f"the model {name} says nothing of cameras and depth: choose evaluation=motion")
        protocol = depth_protocol_named(self.depth_protocol or NEAR.name)
        return [GeometryClipGroup(name, one, inference, protocol) for name, one in data.items()]
