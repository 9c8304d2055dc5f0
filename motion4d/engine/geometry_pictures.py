"""A picture of one sequence: depth of every model beside the truth, and the trajectories, aligned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Source
from motion4d.engine.geometry_prediction import PredictedGeometry
from motion4d.engine.pictures import Picture, picture_name
from motion4d.metrics.camera_trajectories import umeyama
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.viz.colours import BACKGROUND
from motion4d.viz.grid import picture_grid
from motion4d.viz.sample import depth_colours
from motion4d.viz.trajectories import trajectory_plot


def geometry_picture(
    source: Source,
    images: Sequence[NDArray[np.uint8]],
    said: Mapping[str, PredictedGeometry],
    protocol: DepthProtocol | None,
    depth: Sequence[NDArray[np.floating]] | None,
    camera_to_world: NDArray[np.float64] | None,
) -> Picture:
    """Some frames [H, W, 3] of a sequence with depth maps (true ones, if known, and by model) and whole trajectories.

    Predicted depth is shown as `protocol` aligns it, trajectories after a similarity alignment to camera_to_world.
    """
    parts = [_depth_part(source, images, said, protocol, depth)]
    if camera_to_world is not None:
        truth = camera_to_world[:, :3, 3]
        moved = {
            name: umeyama(one.camera_to_world[:, :3, 3], truth).move(one.camera_to_world)[:, :3, 3]
            for name, one in said.items()
        }
        parts.append(trajectory_plot({"truth": truth, **moved}, "camera, aligned to the truth"))
    return picture_name(source), side_by_side(parts)


def side_by_side(parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
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
    images: Sequence[NDArray[np.uint8]],
    said: Mapping[str, PredictedGeometry],
    protocol: DepthProtocol | None,
    depth: Sequence[NDArray[np.floating]] | None,
) -> NDArray[np.uint8]:
    """Frames, and below them depth maps under one scale of colours, which follows the truth."""
    maps: dict[str, Sequence[NDArray[np.floating]]] = {} if depth is None else {"truth": depth}
    for name, one in said.items():
        maps[name] = one.depth if depth is None or protocol is None else protocol.shown(one.depth, depth)
    near, far = depth_range(next(iter(maps.values())))
    rows = {name: [depth_colours(one, near, far) for one in shown] for name, shown in maps.items()}
    title = f"{source.dataset} {source.sequence}: depth {near:.3g} to {far:.3g}"
    return picture_grid({"image": list(images), **rows}, title)


def depth_range(maps: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Nearest and farthest depth of a scale of colours: 2nd and 98th percentile of what is known."""
    known = np.concatenate([one[np.isfinite(one) & (one > 0)] for one in maps])
    near, far = np.percentile(known, [2, 98]).tolist() if known.size else (1.0, 2.0)
    return near, far
