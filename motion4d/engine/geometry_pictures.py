"""A picture of one sequence: depth of every model beside the truth, and the trajectories, aligned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Source
from motion4d.engine.geometry_prediction import PredictedGeometry
from motion4d.engine.pictures import Picture, picture_name
from motion4d.metrics.camera_trajectories import umeyama
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.viz.colours import BACKGROUND
from motion4d.viz.depth import depth_range, depth_sheet
from motion4d.viz.trajectories import trajectory_plot

_COLUMNS = 5  # frames shown


def geometry_picture(
    source: Source,
    images: NDArray[np.uint8],
    said: Mapping[str, PredictedGeometry],
    protocol: DepthProtocol,
    depth: NDArray[np.floating] | None,
    camera_to_world: NDArray[np.float64] | None,
) -> Picture:
    """images [N, H, W, 3]; said: by model; depth [N, H, W], camera_to_world [N, 4, 4]: the truth, as far as known."""
    parts = [_depth_part(source, images, said, protocol, depth)]
    if camera_to_world is not None:
        truth = camera_to_world[:, :3, 3]
        moved = {
            name: umeyama(one.camera_to_world[:, :3, 3], truth).move(one.camera_to_world)[:, :3, 3]
            for name, one in said.items()
        }
        parts.append(trajectory_plot({"truth": truth, **moved}, "camera, aligned to the truth"))
    return picture_name(source), side_by_side(parts)


def side_by_side(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pictures [h, w, 3] of any size in one row, at the top."""
    height = max(part.shape[0] for part in parts)
    padded = []
    for part in parts:
        full = np.full((height, part.shape[1], 3), BACKGROUND, np.uint8)
        full[: part.shape[0]] = part
        padded.append(full)
    return np.concatenate(padded, axis=1)


def _depth_part(
    source: Source,
    images: NDArray[np.uint8],
    said: Mapping[str, PredictedGeometry],
    protocol: DepthProtocol,
    depth: NDArray[np.floating] | None,
) -> NDArray[np.uint8]:
    frames = np.linspace(0, len(images) - 1, min(_COLUMNS, len(images))).round().astype(int).tolist()
    rows = {} if depth is None else {"truth": [depth[k] for k in frames]}
    for name, one in said.items():
        rows[name] = [one.depth[k] for k in frames]
        if depth is not None:
            rows[name] = protocol.shown(rows[name], rows["truth"])
    limits = depth_range(np.concatenate([one.ravel() for one in next(iter(rows.values()))]))
    title = f"{source.dataset} {source.sequence}: depth, aligned"
    return depth_sheet([images[k] for k in frames], rows, title, limits=limits)
