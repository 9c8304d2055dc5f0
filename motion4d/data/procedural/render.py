"""Visibility: which part each pixel sees, where on it, and how far away, by ray casting in closed form.

Each bounded part is only cast in a window of the frame that holds its projection, all frames of a clip at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.data.procedural import transforms
from motion4d.data.procedural.parts import Part, Scenery
from motion4d.data.procedural.shapes import NEAR

Array = NDArray[np.float64]


@dataclass
class Visible:
    """What the pixels see. depth [N, H, W]; part [N, H, W] int64; local [N, H, W, 3] coordinates on that part."""

    depth: Tensor
    part: Tensor
    local: Tensor


@dataclass(frozen=True)
class _Window:
    """Equal rectangles of some frames: frames [M], first row and column [M] each, one height and width."""

    frames: Array
    top: Array
    left: Array
    height: int
    width: int


def cast(scenery: Scenery, height: int, width: int, device: torch.device) -> Visible:
    """The nearest surface behind every pixel centre of every frame."""
    num_frames = len(scenery.camera_to_world)
    depth = torch.full((num_frames, height, width), torch.inf, device=device)
    part = torch.zeros((num_frames, height, width), dtype=torch.int64, device=device)
    local = torch.zeros((num_frames, height, width, 3), device=device)
    for index, item in enumerate(scenery.parts):
        window = _window(item, scenery, height, width)
        if window is not None:
            _cast_part(Visible(depth, part, local), index, rays_to_local(item, scenery, height, width), item, window)
    return Visible(depth, part, local)


def intrinsics(focal: float, height: int, width: int) -> Array:
    """[3, 3] of a centred camera."""
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def rays_to_local(part: Part, scenery: Scenery, height: int, width: int) -> tuple[Array, Array]:
    """(direction [N, 3, 3] that takes pixels (u, v, 1) to local ray directions of unit depth, local origin [N, 3])."""
    camera_to_local = np.linalg.inv(part.local_to_world) @ scenery.camera_to_world
    inverse = np.linalg.inv(intrinsics(scenery.focal, height, width))
    return camera_to_local[:, :3, :3] @ inverse, camera_to_local[:, :3, 3]


def _window(part: Part, scenery: Scenery, height: int, width: int) -> _Window | None:
    """Where the part may be seen; None if it is out of view all the time."""
    num_frames = len(scenery.camera_to_world)
    if not part.shape.bounded:
        zeros = np.zeros(num_frames, dtype=np.int64)
        return _Window(np.arange(num_frames), zeros, zeros, height, width)
    low, high = _projected_box(part, scenery, height, width)
    seen = np.flatnonzero((high >= low).all(1))
    if len(seen) == 0:
        return None
    rows, columns = (high - low)[seen].max(0) + 1
    top = np.clip(low[seen, 0], 0, height - rows)
    left = np.clip(low[seen, 1], 0, width - columns)
    return _Window(seen, top, left, int(rows), int(columns))


def _projected_box(part: Part, scenery: Scenery, height: int, width: int) -> tuple[Array, Array]:
    """First and last (row, column) [N, 2] of the part's box in each frame, cut to the frame; all of it if it is near."""
    corners = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3)
    local_to_camera = np.linalg.inv(scenery.camera_to_world) @ part.local_to_world
    points = transforms.apply(local_to_camera[:, None], corners)
    depth = points[..., 2]
    pixels = points[..., 1::-1] / np.maximum(depth, NEAR)[..., None] * scenery.focal
    pixels += np.array([(height - 1) / 2, (width - 1) / 2])
    last = np.array([height - 1, width - 1])
    low = np.clip(np.floor(pixels.min(1)), 0, last + 1)
    high = np.clip(np.ceil(pixels.max(1)), -1, last)
    near, behind = (depth < NEAR).any(1), (depth < NEAR).all(1)
    low[near], high[near] = 0, last
    high[behind] = -1
    return low.astype(np.int64), high.astype(np.int64)


def _cast_part(seen: Visible, index: int, rays: tuple[Array, Array], part: Part, window: _Window) -> None:
    """Write the part into the buffers wherever it is nearer than what is there."""
    device = seen.depth.device
    num_frames, height, width = seen.depth.shape
    matrix = torch.as_tensor(rays[0][window.frames], dtype=torch.float32, device=device)
    origin = torch.as_tensor(rays[1][window.frames], dtype=torch.float32, device=device)[..., None, None]
    frames, top, left = (
        torch.as_tensor(values, device=device) for values in (window.frames, window.top, window.left)
    )
    rows = top[:, None] + torch.arange(window.height, device=device)
    columns = left[:, None] + torch.arange(window.width, device=device)
    direction = (
        matrix[:, :, 0, None, None] * columns[:, None, None, :]
        + (matrix[:, :, 1, None] * rows[:, None, :] + matrix[:, :, 2, None])[..., None]
    )
    depth = part.shape.hit(origin, direction)
    place = (frames[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    nearer = (depth < seen.depth.view(-1)[place]).nonzero(as_tuple=True)
    target, depth = place[nearer], depth[nearer]
    seen.depth.view(-1)[target] = depth
    seen.part.view(-1)[target] = index
    frame, row, column = nearer
    points = origin[frame, :, 0, 0] + depth[:, None] * direction[frame, :, row, column]
    seen.local.view(-1, 3)[target] = points
