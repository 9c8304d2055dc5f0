"""The files that show one sample.

sheet.png                                   frames, depth, masks, instances, flow: a row for each that is there
points_first.ply points_second.ply points_last.ply    world points of these frames, with their own valid pixels
tracks.mp4                                  points of the first frame, followed by the flow
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from motion4d.clip import Clip, Flow
from motion4d.engine.inspection.fields import usable_depth
from motion4d.geometry.projection import transform_points, unproject
from motion4d.io.images import write_image
from motion4d.io.ply import write_ply
from motion4d.io.video import write_video
from motion4d.tracks.base import grid_queries
from motion4d.tracks.chained_flow import ChainedFlow
from motion4d.viz.flow_color import flow_to_rgb, frame_radius, video_radius
from motion4d.viz.grid import picture_grid, spread
from motion4d.viz.overlay import overlay
from motion4d.viz.sample import depth_colours, instance_overlay, track_frames

_COLUMNS = 6  # frames of the sheet
_SIDE = 12  # of the grid of tracked points
_RATE = 8.0  # frames per second of a track video whose frames carry no time


def write_sample(folder: Path, clip: Clip, title: str) -> list[str]:
    """Write all that the clip (B = 1) allows below `folder`; returns the names of the files."""
    images = (clip.images[0].clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    write_image(folder / "sheet.png", picture_grid(sheet_rows(clip, images), title))
    return ["sheet.png", *_write_points(folder, clip, images), *_write_tracks(folder, clip, images)]


def sheet_rows(clip: Clip, images: NDArray[np.uint8]) -> dict[str, list[NDArray[np.uint8]]]:
    """Row name -> pictures of some frames; images [N, H, W, 3]."""
    frames = spread(len(images), _COLUMNS)
    rows = {"image": [images[k] for k in frames]}
    if clip.depth is not None:
        usable = usable_depth(clip)
        depth = torch.where(usable, clip.depth[0], 0).numpy()
        low, high = np.quantile(depth[depth > 0], [0.01, 0.99]) if usable.any() else (1.0, 1.0)
        rows[f"depth\n{low:.3g} to {high:.3g}\n(near: bright)"] = [depth_colours(depth[k], low, high) for k in frames]
    if clip.motion is not None:
        rows["moving"] = [overlay(images[k], clip.motion[0, k].bool().numpy()) for k in frames]
    if clip.instances is not None:
        rows["instances"] = [instance_overlay(images[k], clip.instances[0, k].numpy()) for k in frames]
    if clip.valid is not None and not clip.valid.all():
        rows["valid"] = [np.repeat(clip.valid[0, k].numpy()[..., None] * np.uint8(255), 3, -1) for k in frames]
    flow = clip.flow or clip.estimated_flow
    if flow is not None and len(images) > 1:
        fields = flow.forward[0].permute(0, 2, 3, 1).numpy()
        radius = video_radius([frame_radius(field) for field in fields])
        name = "flow" if clip.flow is not None else "flow\n(estimated)"
        rows[f"{name}\nup to {radius:.3g} px"] = [flow_to_rgb(fields[k], max_radius=radius) for k in frames[:-1]]
    return rows


def _write_points(folder: Path, clip: Clip, images: NDArray[np.uint8]) -> list[str]:
    if clip.depth is None or clip.camera_to_world is None or clip.intrinsics is None:
        return []
    usable = usable_depth(clip)
    camera = unproject(clip.depth[0].double(), clip.intrinsics[0].double())
    points = transform_points(clip.camera_to_world[0].double(), camera).float().numpy()
    chosen = {"points_first.ply": 0, "points_second.ply": 1, "points_last.ply": len(images) - 1}
    written = {name: k for name, k in chosen.items() if k < len(images) and (name == "points_first.ply" or k > 0)}
    for name, k in written.items():
        shown = usable[k].numpy()
        write_ply(folder / name, points[k][shown], images[k][shown])
    return list(written)


def _write_tracks(folder: Path, clip: Clip, images: NDArray[np.uint8]) -> list[str]:
    flow = next((one for one in (clip.flow, clip.estimated_flow) if one and one.backward is not None), None)
    if flow is None or clip.num_frames < 2:
        return []
    known = Flow(flow.forward.nan_to_num(0), None if flow.backward is None else flow.backward.nan_to_num(0))
    tracker = ChainedFlow(lambda _: known)
    tracks = tracker(replace(clip, estimated_flow=None), grid_queries([0], _SIDE, clip.size)[None])
    rate = (clip.sources[0].frame_rate if clip.sources else None) or _RATE
    pictures = track_frames(images, tracks.positions[0].numpy(), tracks.visibility[0].numpy())
    write_video(folder / "tracks.mp4", pictures, frame_rate=rate)
    return ["tracks.mp4"]
