"""Truth from visibility: flow, tracks, moving pixels, instance ids, all from the same transforms as the pictures.

A visible point keeps its local coordinates on its part, so its place in the next frame is exact, deformation included.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Tracks
from motion4d.data.procedural import transforms
from motion4d.data.procedural.parts import Part, Scenery
from motion4d.data.procedural.render import Visible, intrinsics, per_pixel, pixel_rays, transform
from motion4d.data.procedural.shapes import NEAR

Array = NDArray[np.float64]

# points of a part whose motion decides whether the part moves: corners, edges and sides of a box within the shape
_PROBES = np.array(list(product((-0.7, 0.0, 0.7), repeat=3)))


def flow(scenery: Scenery, seen: Visible, step: int) -> Tensor:
    """[N-1, 2, H, W]: in pixels; step 1: frames 0..N-2 to the next, step -1: frames 1..N-1 to the one before."""
    num_frames, height, width = seen.part.shape
    local_to_pixel = _projections(scenery, height, width)
    flows = seen.depth.new_empty((num_frames - 1, 2, height, width))
    for index in range(num_frames - 1):
        frame = index + max(0, -step)
        there = local_to_pixel[frame + step] @ np.linalg.inv(local_to_pixel[frame])
        _displacement(per_pixel(there[:, :3], seen.part[frame].view(-1)), seen.depth[frame], out=flows[index])
    return flows


def tracks(scenery: Scenery, seen: Visible, queries: Tensor) -> Tracks:
    """Where the surface points under `queries` [P, 3] (frame, column, row; whole pixels) are in every frame, B = 1.

    A point is visible where it lies inside the frame with nothing in front of it, to 3 % of its depth and one pixel.
    """
    _, height, width = seen.part.shape
    local_to_pixel = _projections(scenery, height, width)
    frames, columns, rows = queries.long().cpu().unbind(-1)
    parts, depth = seen.part[frames, rows, columns].cpu(), seen.depth[frames, rows, columns].cpu()
    here = torch.stack([columns * depth, rows * depth, depth, torch.ones_like(depth)], -1).double().numpy()
    local = np.linalg.solve(local_to_pixel[frames, parts], here[..., None])
    there = torch.as_tensor((local_to_pixel[:, parts] @ local)[..., :3, 0], dtype=torch.float32)
    away = there[..., 2].clamp(min=NEAR)
    positions = there[..., :2] / away[..., None]
    visible = (there[..., 2] > NEAR) & _in_front(seen.depth.cpu(), positions, away)
    return Tracks(positions[None].to(queries.device), visible[None].to(queries.device))


def _in_front(depth: Tensor, positions: Tensor, away: Tensor) -> Tensor:
    """[N, P] bool: positions [N, P, 2] lie inside the frame, on the surface [N, H, W] that is seen there."""
    height, width = depth.shape[-2:]
    column, row = positions.round().long().unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    frame = torch.arange(len(depth))[:, None]
    near = torch.zeros_like(inside)
    for down, right in product((-1, 0, 1), repeat=2):
        found = depth[frame, (row + down).clamp(0, height - 1), (column + right).clamp(0, width - 1)]
        near |= (found - away).abs() <= 0.03 * away
    return inside & near


def _projections(scenery: Scenery, height: int, width: int) -> Array:
    """[N, P, 4, 4] from local coordinates of each part to (column, row, 1) times depth."""
    camera = transforms.linear(intrinsics(scenery.focal, height, width)) @ np.linalg.inv(scenery.camera_to_world)
    return np.stack([camera @ part.local_to_world for part in scenery.parts], 1)


def _displacement(matrices: Tensor, depth: Tensor, *, out: Tensor) -> None:
    """Write [2, H, W]: from each pixel to where its matrix [3, 4, H*W] takes its point."""
    height, width = depth.shape
    column, row, away = transform(matrices, pixel_rays(depth))
    away.clamp_(min=NEAR)
    out[0] = (column / away).view(height, width) - torch.arange(width, device=depth.device)
    out[1] = (row / away).view(height, width) - torch.arange(height, device=depth.device)[:, None]


def moving_things(scenery: Scenery, threshold_px: float) -> Array:
    """[N, T] bool: does thing 1..T (columns 0..T-1) move in the world in each frame?

    A thing moves in frame t if any of its parts does: if a point of the part, carried from t to t+1 or from t-1 to t,
    shifts by more than `threshold_px` in the picture of the camera *held still* at frame t. So camera motion never
    counts, nor does motion too small or too far away to see, and a thing that stands still between two moves is not
    moving. The whole thing is marked, not only the limb that moves.
    """
    num_frames = len(scenery.camera_to_world)
    things = max((part.thing for part in scenery.parts), default=0)
    moving = np.zeros((num_frames, things), dtype=bool)
    for part in scenery.parts:
        if part.thing:
            moving[:, part.thing - 1] |= _part_shift(scenery, part) > threshold_px
    return moving


def labels(scenery: Scenery, seen: Visible, threshold_px: float) -> tuple[Tensor, Tensor]:
    """(motion [N, H, W] bool, instances [N, H, W] int64): things that never move in the clip belong to the world, 0."""
    moving = np.pad(moving_things(scenery, threshold_px), ((0, 0), (1, 0)))
    ever = moving.any(0)
    thing_of = np.array([part.thing for part in scenery.parts])
    names = torch.as_tensor(np.where(ever, np.cumsum(ever), 0)[thing_of], device=seen.part.device)
    now = torch.as_tensor(moving[:, thing_of], device=seen.part.device)
    motion = torch.stack([now[frame][part] for frame, part in enumerate(seen.part)])
    return motion, names[seen.part]


def _part_shift(scenery: Scenery, part: Part) -> Array:
    """[N] largest shift in pixels of the part's probe points to or from a neighbouring frame, camera held still."""
    world = transforms.apply(part.local_to_world[:, None], _PROBES)
    world_to_camera = np.linalg.inv(scenery.camera_to_world)[:, None]
    shift = np.zeros(len(world))
    here = _project(transforms.apply(world_to_camera, world), scenery.focal)
    for frames, others in ((slice(0, -1), slice(1, None)), (slice(1, None), slice(0, -1))):
        there = _project(transforms.apply(world_to_camera[frames], world[others]), scenery.focal)
        shift[frames] = np.maximum(shift[frames], np.linalg.norm(there - here[frames], axis=-1).max(1))
    return shift


def _project(points: Array, focal: float) -> Array:
    return points[..., :2] / np.maximum(points[..., 2:], 0.3) * focal
