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
from motion4d.metrics.depth_protocols import VIDEO, depth_protocol_named


@dataclass(frozen=True)
class GeometryEvaluation:
    """depth_protocol: name of the one to score depth by (motion4d.metrics.depth_protocols).

    None: the data set's own; `video`, one scale per sequence, where it has none.
    """

    depth_protocol: str | None = None

    @property
    def figures(self):
        return replace(GEOMETRY_FIGURES, protocol=self.depth_protocol or VIDEO.name)

    def groups(self, data: Mapping[str, Any], inference: Inference, folder: Path, *, save_all: bool) -> list[Group]:
        for name, model in inference.models.items():
            if not hasattr(model, "geometry"):
                raise ValueError(f"the model {name} says no cameras and depth: choose evaluation=motion")
        protocol = depth_protocol_named(self.depth_protocol or VIDEO.name)
        return [GeometryClipGroup(name, one, inference, protocol) for name, one in data.items()]
