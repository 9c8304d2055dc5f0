"""Tracks of a reconstruction: points followed in the images, and where depth and cameras put them in the world.

tracks.npz    a row per point and frame: track [M] and frame [M] int32, pixel [M, 2] float32 (x, y), visible [M]
              bool, world [M, 3] float32 (NaN where the point does not show or its depth is not known)
tracks.mp4    the points that show, with the way they came
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.engine.errors import explained_memory
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import describe_part, place_model
from motion4d.engine.windows import Window
from motion4d.geometry.projection import transform_points
from motion4d.io.arrays import write_arrays
from motion4d.io.frames import FrameSource
from motion4d.io.video import open_video_writer
from motion4d.reconstruct.feed_forward import frame_windows
from motion4d.tracks.base import PointTracker
from motion4d.tracks.long import LongTracks, WindowTracks
from motion4d.tracks.vggt import LearnedTracker
from motion4d.viz.sample import track_frames

Piece = tuple[NDArray[np.uint8], WindowTracks]  # frames [n, H, W, 3] and the points in them


Lift = Callable[[int, Tensor], Tensor]  # frame number and pixels [P, 2] of the video -> points [P, 3]; NaN: not known


def prepare_tracker(tracker: PointTracker | None, runtime: Runtime) -> None:
    """Read a tracker's weights, so that missing ones stop nothing half-way, and bring its networks to their device."""
    if isinstance(tracker, LearnedTracker):
        tracker.read_weights()
    for part in ("backbone", "flow"):
        place_model(getattr(tracker, part, None), runtime)


def describe_tracker(tracker: PointTracker) -> dict[str, Any]:
    """What tells one tracker from another in a summary."""
    parts = {
        name: describe_part(part) for name in ("backbone", "flow") for part in [getattr(tracker, name, None)] if part
    }
    return {**describe_part(tracker), **parts}


def track_source(
    tracker: PointTracker, source: FrameSource, *, side: int, window: Window, runtime: Runtime
) -> Iterator[Piece]:
    """Follow side x side points through a source, window by window."""
    points = LongTracks(tracker, side=side)
    advice = f"not enough memory to track points through {window.length} frames; try window.length={window.length // 2}"
    with explained_memory(advice):
        for start, frames in frame_windows(source, window.length, window.overlap):
            with torch.no_grad(), runtime.autocast():
                found = points.follow(start, frames.to(runtime.torch_device).float() / 255)
            yield frames.permute(0, 2, 3, 1).numpy(), found


def write_tracks(folder: Path, pieces: Iterator[Piece], lift: Lift, *, frame_rate: float) -> int:
    """Write both files; returns the number of tracks."""
    rows: dict[str, list[Any]] = {"track": [], "frame": [], "pixel": [], "visible": [], "world": []}
    shown = 0
    with open_video_writer(folder / "tracks.mp4", frame_rate=frame_rate) as video:
        for images, found in pieces:
            for k in range(len(images)):
                told = found.told[k]
                pixels, visible = found.positions[k, told], found.visibility[k, told]
                world = lift(found.start + k, pixels).float()
                rows["track"].append(found.names[told].int())
                rows["frame"].append(torch.full((len(pixels),), found.start + k, dtype=torch.int32))
                rows["pixel"].append(pixels.float())
                rows["visible"].append(visible)
                rows["world"].append(torch.where(visible[:, None], world, torch.nan))
            pictures = track_frames(images, found.positions.numpy(), found.visibility.numpy())
            for number, picture in enumerate(pictures, found.start):
                if number >= shown:
                    video.add(picture)
            shown = found.start + len(images)
    table = {name: torch.cat(parts).numpy() for name, parts in rows.items()}
    with write_arrays(folder / "tracks.npz") as file:
        for name, values in table.items():
            file.add(name, values)
    return len(np.unique(table["track"]))


def lifted(depth: Tensor, intrinsics: Tensor, camera_to_world: Tensor, pixels: Tensor) -> Tensor:
    """Pixels [P, 2] of a depth map [h, w] (0: not known) -> points [P, 3] in the world, by the nearest depth."""
    height, width = depth.shape
    column, row = pixels.round().long().unbind(-1)
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    z = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)].double()
    z = torch.where(inside & (z > 0), z, torch.nan)
    rays = torch.cat((pixels.double(), torch.ones(len(pixels), 1, dtype=torch.float64)), 1)
    rays = rays @ torch.linalg.inv(intrinsics.double()).T
    return transform_points(camera_to_world.double(), rays * z[:, None])
