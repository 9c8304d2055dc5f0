"""Truth from visibility: flow, moving pixels, instance ids, all from the same transforms as the pictures.

A visible point keeps its local coordinates on its part, so where it is in the next frame is exact, deformation included.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.data.procedural import transforms
from motion4d.data.procedural.parts import Part, Scenery
from motion4d.data.procedural.render import Visible, intrinsics
from motion4d.data.procedural.shapes import NEAR

Array = NDArray[np.float64]

# points of a part whose motion decides whether the part moves: corners, faces and edges of its box, within the shape
_PROBES = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), -1).reshape(-1, 3) * 0.7


def flow(scenery: Scenery, seen: Visible, step: int) -> Tensor:
    """[N-1, 2, H, W]: step 1 from frames 0..N-2 to the next, step -1 from frames 1..N-1 to the one before, in pixels."""
    num_frames, height, width = seen.part.shape
    camera = intrinsics(scenery.focal, height, width) @ np.linalg.inv(scenery.camera_to_world)[:, :3]
    tables = np.stack([camera @ part.local_to_world for part in scenery.parts], 1)
    table = torch.as_tensor(tables, dtype=torch.float32, device=seen.part.device)
    first = max(0, -step)
    flows = [
        _displacement(table[frame + step], seen.part[frame], seen.local[frame])
        for frame in range(first, first + num_frames - 1)
    ]
    return torch.stack(flows) if flows else seen.local.new_zeros((0, 2, height, width))


def _displacement(table: Tensor, part: Tensor, local: Tensor) -> Tensor:
    """[2, H, W] from the pixels to where table [P, 3, 4] projects their points [H, W, 3]."""
    height, width = part.shape
    matrices = table.reshape(len(table), 12)[part.reshape(-1)].view(-1, 3, 4)
    points = (matrices[..., :3] * local.reshape(-1, 1, 3)).sum(-1) + matrices[..., 3]
    pixels = points[:, :2] / points[:, 2:].clamp(min=NEAR)
    rows = torch.arange(height, device=part.device, dtype=torch.float32).repeat_interleave(width)
    columns = torch.arange(width, device=part.device, dtype=torch.float32).repeat(height)
    return (pixels - torch.stack([columns, rows], 1)).T.reshape(2, height, width)


def moving_things(scenery: Scenery, threshold_px: float) -> Array:
    """[N, T] bool: does thing 1..T (columns 0..T-1) move in the world in each frame?

    A thing moves in frame t if any of its parts does: if a point of the part, carried from t to t+1 or from t-1 to t,
    shifts by more than `threshold_px` in the picture of the camera *held still* at frame t. So camera motion never
    counts, nor does motion too small or too far away to see, and a thing that stands still between two moves is not moving.
    The whole thing is marked, not only the limb that moves.
    """
    num_frames = len(scenery.camera_to_world)
    things = max((part.thing for part in scenery.parts), default=0)
    moving = np.zeros((num_frames, things), dtype=bool)
    for part in scenery.parts:
        if part.thing:
            moving[:, part.thing - 1] |= _part_shift(scenery, part) > threshold_px
    return moving


def _part_shift(scenery: Scenery, part: Part) -> Array:
    """[N] largest shift in pixels of the part's probe points to the next or from the previous frame, camera held still."""
    world = transforms.apply(part.local_to_world[:, None], _PROBES)
    world_to_camera = np.linalg.inv(scenery.camera_to_world)[:, None]
    shift = np.zeros(len(world))
    here = _project(transforms.apply(world_to_camera, world), scenery.focal)
    for frames, others in ((slice(0, -1), slice(1, None)), (slice(1, None), slice(0, -1))):
        there = _project(transforms.apply(world_to_camera[frames], world[others]), scenery.focal)
        shift[frames] = np.maximum(shift[frames], np.abs(there - here[frames]).max((1, 2)))
    return shift


def _project(points: Array, focal: float) -> Array:
    return points[..., :2] / np.maximum(points[..., 2:], 0.3) * focal


def labels(scenery: Scenery, seen: Visible, threshold_px: float) -> tuple[Tensor, Tensor]:
    """(motion [N, H, W] bool, instances [N, H, W] int64): things that never move in the clip belong to the world, 0."""
    moving = moving_things(scenery, threshold_px)
    thing = torch.as_tensor([part.thing for part in scenery.parts], device=seen.part.device)[seen.part]
    ever = np.concatenate([[False], moving.any(0)])
    names = torch.as_tensor(np.where(ever, np.cumsum(ever), 0), device=thing.device)
    now = torch.as_tensor(np.pad(moving, ((0, 0), (1, 0))), device=thing.device)
    motion = torch.gather(now, 1, thing.flatten(1)).view_as(thing)
    return motion, names[thing]
