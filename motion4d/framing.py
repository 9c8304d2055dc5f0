"""Framing: how native frames become a network's input, as a value with an inverse.

A rule (`FitPixels`, `Square`, `Native`) looks at a native size and returns a `Framing`; the framing carries images and
intrinsics in, and masks, logits, depth, flow and intrinsics back to native resolution. No network resizes for itself.
Pixel convention: see motion4d.clip (resizing by s maps u to (u + 0.5) s - 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Framing:
    """Resize `native` to `resized`, then cut or edge-pad to `size` at the bottom and right; all are (H, W)."""

    native: tuple[int, int]
    resized: tuple[int, int]
    size: tuple[int, int]

    @property
    def scale(self) -> tuple[float, float]:
        """(vertical, horizontal) factor from native to resized pixels."""
        return self.resized[0] / self.native[0], self.resized[1] / self.native[1]

    def images(self, images: Tensor) -> Tensor:
        """[..., 3, H, W] in [0, 1] at native size -> network size, Lanczos-3 (as the published pipelines)."""
        if self.resized != self.native:
            images = lanczos_resize(images, self.resized)
        return self._cut_or_pad(images)

    def labels(self, labels: Tensor) -> Tensor:
        """[..., H, W] masks or ids at native size -> network size, nearest neighbour."""
        return self._cut_or_pad(_resize(labels, self.resized, mode="nearest-exact"))

    def values(self, values: Tensor) -> Tensor:
        """[..., H, W] float maps (depth) at native size -> network size, bilinear."""
        return self._cut_or_pad(_resize(values, self.resized, mode="bilinear"))

    def flow(self, flow: Tensor) -> Tensor:
        """[..., 2, H, W] in native pixels -> network pixels."""
        vertical, horizontal = self.scale
        return self._cut_or_pad(_resize(flow, self.resized, mode="bilinear")) * _uv(flow, horizontal, vertical)

    def intrinsics(self, intrinsics: Tensor) -> Tensor:
        """[..., 3, 3] for native pixels -> for network pixels (cutting at bottom and right moves no pixel)."""
        vertical, horizontal = self.scale
        return scale_intrinsics(intrinsics, horizontal, vertical)

    def undo_values(self, values: Tensor) -> Tensor:
        """[..., h, w] float maps (logits, depth) at network size -> native size, bilinear."""
        return _resize(self.uncut(values), self.native, mode="bilinear")

    def undo_labels(self, labels: Tensor) -> Tensor:
        """[..., h, w] masks or ids at network size -> native size, nearest neighbour."""
        return _resize(self.uncut(labels), self.native, mode="nearest-exact")

    def undo_flow(self, flow: Tensor) -> Tensor:
        """[..., 2, h, w] in network pixels -> native pixels."""
        vertical, horizontal = self.scale
        return _resize(self.uncut(flow), self.native, mode="bilinear") * _uv(flow, 1 / horizontal, 1 / vertical)

    def undo_intrinsics(self, intrinsics: Tensor) -> Tensor:
        """[..., 3, 3] for network pixels -> for native pixels."""
        vertical, horizontal = self.scale
        return scale_intrinsics(intrinsics, 1 / horizontal, 1 / vertical)

    def _cut_or_pad(self, maps: Tensor) -> Tensor:
        height, width = self.size
        return _edge_pad(maps[..., :height, :width], height, width)

    def uncut(self, maps: Tensor) -> Tensor:
        """[..., h, w] maps at network size -> resized size: padding goes, what was cut off repeats the border."""
        height, width = self.resized
        return _edge_pad(maps[..., :height, :width], height, width)


@dataclass(frozen=True)
class Native:
    """Keep the size; pad at the bottom and right to a multiple of `multiple`."""

    multiple: int = 1

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        padded = tuple(math.ceil(side / self.multiple) * self.multiple for side in (height, width))
        return Framing((height, width), (height, width), (padded[0], padded[1]))


@dataclass(frozen=True)
class Square:
    """Squash to side x side (GeoMotion's published input: 518), aspect ignored."""

    side: int

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        return Framing((height, width), (self.side, self.side), (self.side, self.side))


@dataclass(frozen=True)
class FitPixels:
    """Keep the aspect as well as multiples of `multiple` allow, at about `pixel_limit` pixels (Pi3's rule).

    Small frames are enlarged up to the limit too, as published.
    """

    pixel_limit: int = 255_000
    multiple: int = 14

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        scale = math.sqrt(self.pixel_limit / (width * height))
        target_width, target_height = width * scale, height * scale
        columns, rows = round(target_width / self.multiple), round(target_height / self.multiple)
        while columns * rows * self.multiple**2 > self.pixel_limit:
            # shrink the side that is relatively too long
            if columns * target_height > target_width * rows:
                columns -= 1
            else:
                rows -= 1
        size = (max(1, rows) * self.multiple, max(1, columns) * self.multiple)
        return Framing((height, width), size, size)


def scale_intrinsics(intrinsics: Tensor, horizontal: float, vertical: float) -> Tensor:
    """Intrinsics [..., 3, 3] of an image resized by these factors (half-pixel rule of motion4d.clip)."""
    scaled = intrinsics.clone()
    scaled[..., 0, :] *= horizontal
    scaled[..., 1, :] *= vertical
    scaled[..., 0, 2] += 0.5 * horizontal - 0.5
    scaled[..., 1, 2] += 0.5 * vertical - 0.5
    return scaled


def lanczos_resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[..., H, W] in [0, 1] -> [..., h, w] with a Lanczos-3 filter, widened when shrinking: Pillow's LANCZOS in float.

    Overshoot is cut after each axis, as Pillow's 8-bit passes do.
    """
    rows = _lanczos_matrix(images.shape[-2], size[0]).to(images)
    columns = _lanczos_matrix(images.shape[-1], size[1]).to(images)
    return (rows @ (images @ columns.T).clamp(0, 1)).clamp(0, 1)


@lru_cache(maxsize=32)
def _lanczos_matrix(source: int, target: int) -> Tensor:
    """[target, source] weights, rows sum to 1."""
    scale = source / target
    support = 3 * max(scale, 1.0)
    centre = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    position = (torch.arange(source, dtype=torch.float64) + 0.5)[None] - centre[:, None]
    offset = position / max(scale, 1.0)
    weights = torch.sinc(offset) * torch.sinc(offset / 3) * (position.abs() < support)
    return (weights / weights.sum(1, keepdim=True)).float()


def _uv(flow: Tensor, horizontal: float, vertical: float) -> Tensor:
    return flow.new_tensor([horizontal, vertical]).view(2, 1, 1)


def _resize(maps: Tensor, size: tuple[int, int], *, mode: str) -> Tensor:
    """Resize the last two axes; any leading axes and dtypes."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    floating = flat if flat.is_floating_point() else flat.float()
    if mode == "bilinear":
        resized = F.interpolate(floating, size=size, mode="bilinear", align_corners=False, antialias=False)
    else:
        resized = F.interpolate(floating, size=size, mode=mode)
    return resized.to(maps.dtype).reshape(*maps.shape[:-2], *size)


def _edge_pad(maps: Tensor, height: int, width: int) -> Tensor:
    """Repeat the last row and column until the size is reached."""
    missing_rows, missing_columns = height - maps.shape[-2], width - maps.shape[-1]
    if missing_rows > 0:
        maps = torch.cat([maps, maps[..., -1:, :].expand(*maps.shape[:-2], missing_rows, maps.shape[-1])], -2)
    if missing_columns > 0:
        maps = torch.cat([maps, maps[..., -1:].expand(*maps.shape[:-1], missing_columns)], -1)
    return maps
