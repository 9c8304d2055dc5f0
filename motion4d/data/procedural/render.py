"""Visibility: which part each pixel sees, and how far away, by ray casting in closed form.

Each bounded part is only cast in a window of the frame that holds its projection, many frames at once; temporaries stay
small enough for the cache. What is derived from visibility (flow, colours) goes through `pixel_transforms`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.data.procedural import transforms
from motion4d.data.procedural.parts import Part, Scenery
from motion4d.data.procedural.shapes import NEAR

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
_CHUNK = 40_000  # pixels cast at once


@dataclass(frozen=True)
class Visible:
    """What the pixels see. depth [N, H, W]; part [N, H, W] int64: row of Scenery.parts."""

    depth: Tensor
    part: Tensor


@dataclass(frozen=True)
class _Window:
    """Equal rectangles of some frames: frames [M], first row and column [M] each, one height and width."""

    frames: Indices
    top: Indices
    left: Indices
    height: int
    width: int

    def chunks(self) -> Iterator[_Window]:
        """The same rectangles, a few frames at a time."""
        step = max(1, _CHUNK // (self.height * self.width))
        for start in range(0, len(self.frames), step):
            rows = slice(start, start + step)
            yield _Window(self.frames[rows], self.top[rows], self.left[rows], self.height, self.width)


def cast(scenery: Scenery, height: int, width: int, device: torch.device) -> Visible:
    """The nearest surface behind every pixel centre of every frame."""
    num_frames = len(scenery.camera_to_world)
    depth = torch.full((num_frames, height, width), torch.inf, device=device)
    seen = Visible(depth, torch.zeros(depth.shape, dtype=torch.int64, device=device))
    for index, part in enumerate(scenery.parts):
        directions, origins = _rays_to_local(part, scenery, height, width)
        for window in _windows(part, scenery, height, width):
            _cast_part(seen, index, part, directions[window.frames], origins[window.frames], window)
    return seen


def intrinsics(focal: float, height: int, width: int) -> Array:
    """[3, 3] of a centred camera."""
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def pixel_rays(depth: Tensor) -> Tensor:
    """Depth [H, W] -> [3, H*W]: column, row and 1 of each pixel, times its depth."""
    height, width = depth.shape
    columns = torch.arange(width, device=depth.device, dtype=depth.dtype) * depth
    rows = torch.arange(height, device=depth.device, dtype=depth.dtype)[:, None] * depth
    return torch.stack([columns, rows, depth]).view(3, -1)


def per_pixel(tables: Array, part: Tensor) -> Tensor:
    """One value or matrix per part [P, ...] -> float32 [..., K] for the parts [K] that pixels see."""
    columns = torch.as_tensor(tables.reshape(len(tables), -1).T, dtype=torch.float32, device=part.device)
    return columns.contiguous().index_select(1, part).view(*tables.shape[1:], len(part))


def transform(matrices: Tensor, points: Tensor) -> Tensor:
    """Affine [3, 4, K] (or linear [3, 3, K]) on points [3, K] -> [3, K]."""
    moved = matrices[:, 0] * points[0]
    moved += matrices[:, 1] * points[1]
    moved += matrices[:, 2] * points[2]
    return moved + matrices[:, 3] if matrices.shape[1] == 4 else moved


def _rays_to_local(part: Part, scenery: Scenery, height: int, width: int) -> tuple[Array, Array]:
    """(direction [N, 3, 3] that takes pixels (u, v, 1) to local ray directions of unit depth, local origin [N, 3])."""
    camera_to_local = np.linalg.inv(part.local_to_world) @ scenery.camera_to_world
    inverse = np.linalg.inv(intrinsics(scenery.focal, height, width))
    return camera_to_local[:, :3, :3] @ inverse, camera_to_local[:, :3, 3]


def _windows(part: Part, scenery: Scenery, height: int, width: int) -> Iterator[_Window]:
    """Where the part may be seen; nothing if it is out of view all the time."""
    num_frames = len(scenery.camera_to_world)
    if not part.shape.bounded:
        zeros = np.zeros(num_frames, dtype=np.int64)
        yield from _Window(np.arange(num_frames), zeros, zeros, height, width).chunks()
        return
    low, high = _projected_box(part, scenery, height, width)
    seen = np.flatnonzero((high >= low).all(1))
    if len(seen):
        rows, columns = (high - low)[seen].max(0) + 1
        top = np.clip(low[seen, 0], 0, height - rows)
        left = np.clip(low[seen, 1], 0, width - columns)
        yield from _Window(seen, top, left, int(rows), int(columns)).chunks()


def _projected_box(part: Part, scenery: Scenery, height: int, width: int) -> tuple[Indices, Indices]:
    """First and last (row, column) [N, 2] of the part's box in each frame, cut to the frame; all of it if near."""
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


def _cast_part(seen: Visible, index: int, part: Part, directions: Array, origins: Array, window: _Window) -> None:
    """Write the part into the buffers wherever it is nearer than what is there."""
    device = seen.depth.device
    _, height, width = seen.depth.shape
    frames, top, left = (torch.as_tensor(values, device=device) for values in (window.frames, window.top, window.left))
    rows = top[:, None] + torch.arange(window.height, device=device)
    columns = left[:, None] + torch.arange(window.width, device=device)
    matrix = torch.as_tensor(directions, dtype=torch.float32, device=device)
    origin = torch.as_tensor(origins, dtype=torch.float32, device=device)[..., None, None]
    down = matrix[:, :, 1, None] * rows[:, None, :] + matrix[:, :, 2, None]
    depth = part.shape.hit(origin, matrix[:, :, 0, None, None] * columns[:, None, None, :] + down[..., None])
    place = (((frames[:, None] * height + rows) * width)[:, :, None] + columns[:, None, :]).view(-1)
    known, found = seen.depth.view(-1), depth.reshape(-1)
    nearer = (found < known.index_select(0, place)).nonzero()[:, 0]
    target = place.index_select(0, nearer)
    known.index_copy_(0, target, found.index_select(0, nearer))
    seen.part.view(-1).index_fill_(0, target, index)
