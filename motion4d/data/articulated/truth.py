"""What is true of a rendered room: which parts can be asked for, and the motion of one of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.data.articulated.scenes import Room
from motion4d.data.procedural import render, transforms
from motion4d.part import PartMotion

Array = NDArray[np.float64]
_STEPS = 20
_LEAST_HANDLE = 4  # pixels


def askable(room: Room, part: NDArray[np.int64], least_share: float) -> list[int]:
    """Movables of which enough is seen, the handle included; part [H, W]: rows of scenery.parts."""
    pixels = np.bincount(part.ravel(), minlength=len(room.scenery.parts))
    least = least_share * part.size
    return [
        index
        for index, (rows, handle) in enumerate(zip(room.rows, room.handles, strict=True))
        if pixels[list(rows)].sum() >= least and pixels[list(handle)].sum() >= _LEAST_HANDLE
    ]


def motion(room: Room, seen: render.Visible, target: int) -> PartMotion:
    """The truth of one movable, B = 1. The point is the pixel of its handle nearest to the middle of what is seen."""
    part, depth = seen.part[0].numpy(), seen.depth[0].numpy()
    height, width = part.shape
    movable, scenery = room.furniture.movables[target], room.scenery
    row, column = _middle(np.isin(part, room.handles[target]))
    matrix = render.intrinsics(scenery.focal, height, width)
    camera_to_world = scenery.camera_to_world[0]
    touched = np.linalg.solve(matrix, [column, row, 1.0]) * float(depth[row, column])
    in_world = transforms.apply(camera_to_world, touched)
    world_to_camera = np.linalg.inv(camera_to_world)
    way = transforms.apply(world_to_camera, movable.joint.path(in_world, movable.opened, _STEPS))
    track = way[:, :2] / np.maximum(way[:, 2:], 1e-6) * scenery.focal + matrix[:2, 2]
    inside = (way[:, 2] > 0) & (track > -0.5).all(1) & (track < [width - 0.5, height - 0.5]).all(1)
    # one step up, so that int(x * W) is the pixel again whatever the rounding
    point = np.nextafter(np.array([column / width, row / height], dtype=np.float32), np.float32(2))
    return PartMotion(
        mask=torch.as_tensor(np.isin(part, room.rows[target]))[None],
        point=torch.as_tensor(point)[None],
        axis=_single(world_to_camera[:3, :3] @ movable.joint.axis),
        kind=torch.tensor([movable.joint.kind]),
        origin=_single(transforms.apply(world_to_camera, movable.joint.foot(in_world))),
        trajectory=_single(way),
        track=_single(track),
        track_valid=torch.as_tensor(inside)[None],
    )


def _middle(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """(row, column) of the pixel of a mask that is nearest to the mask's mean."""
    places = np.argwhere(mask)
    row, column = places[((places - places.mean(0)) ** 2).sum(1).argmin()].tolist()
    return row, column


def _single(values: Array) -> Tensor:
    """float32 with a leading axis of 1."""
    return torch.as_tensor(values, dtype=torch.float32)[None]
