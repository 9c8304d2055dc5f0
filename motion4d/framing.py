"""Framing: how native frames become a network's input, as a value with an inverse.

A rule (`FitPixels`, `Square`, `Native`, `LongSide`, `ShortSide`) looks at a native size and
returns a `Framing`; the framing carries images and intrinsics in, and masks, logits, depth, flow and intrinsics back to
native resolution. No network resizes for itself.
Pixel convention: see motion4d.clip (resizing by s maps u to (u + 0.5) s - 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Framing:
    """Resize `native` to `resized`, then take the window `size` at `offset`; where it leaves the image, edges repeat.

    All are (H, W); offset is the window's (top, left). via: published pipelines that resize twice pass this size first.
    bicubic: images are resized with a bicubic filter (to `via`, if there is one), as published for enlarging.
    """

    native: tuple[int, int]
    resized: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    via: tuple[int, int] | None = None
    bicubic: bool = False

    @property
    def scale(self) -> tuple[float, float]:
        """(vertical, horizontal) factor from native to resized pixels."""
        return self.resized[0] / self.native[0], self.resized[1] / self.native[1]

    def images(self, images: Tensor) -> Tensor:
        """[..., 3, H, W] in [0, 1] at native size -> network size, filtered as in the published pipelines."""
        resize = bicubic_resize if self.bicubic else lanczos_resize
        if self.via is not None:
            images, resize = resize(images, self.via), lanczos_resize
        return self._cut_or_pad(resize(images, self.resized))

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
        """[..., 3, 3] for native pixels -> for network pixels."""
        vertical, horizontal = self.scale
        return _shift_intrinsics(scale_intrinsics(intrinsics, horizontal, vertical), *self.offset, sign=-1)

    def undo_values(self, values: Tensor) -> Tensor:
        """[..., h, w] float maps (logits, depth) at network size -> native size, bilinear."""
        return _resize(self._uncut(values), self.native, mode="bilinear")

    def undo_labels(self, labels: Tensor) -> Tensor:
        """[..., h, w] masks or ids at network size -> native size, nearest neighbour."""
        return _resize(self._uncut(labels), self.native, mode="nearest-exact")

    def undo_flow(self, flow: Tensor) -> Tensor:
        """[..., 2, h, w] in network pixels -> native pixels."""
        vertical, horizontal = self.scale
        return _resize(self._uncut(flow), self.native, mode="bilinear") * _uv(flow, 1 / horizontal, 1 / vertical)

    def undo_intrinsics(self, intrinsics: Tensor) -> Tensor:
        """[..., 3, 3] for network pixels -> for native pixels."""
        vertical, horizontal = self.scale
        return scale_intrinsics(_shift_intrinsics(intrinsics, *self.offset, sign=1), 1 / horizontal, 1 / vertical)

    def _cut_or_pad(self, maps: Tensor) -> Tensor:
        return _window(maps, *self.offset, *self.size)

    def _uncut(self, maps: Tensor) -> Tensor:
        return _window(maps, -self.offset[0], -self.offset[1], *self.resized)


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


@dataclass(frozen=True)
class LongSide:
    """Resize the longer side to `side`, then make both sides multiples of `multiple` (DUSt3R's and MonST3R's 512 rule).

    crop: cut a centred window; without it, squash. square: leave a square frame square; without it, a square frame
    becomes 4:3, which the networks were trained with.
    """

    side: int = 512
    multiple: int = 16
    crop: bool = True
    square: bool = False

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        longer = max(height, width)
        rows, columns = round(height * self.side / longer), round(width * self.side / longer)
        target_rows, target_columns = (side // 2 * 2 // self.multiple * self.multiple for side in (rows, columns))
        if rows == columns and not self.square:
            target_rows = 3 * target_columns // 8 * 2
        if min(target_rows, target_columns) < 1:
            raise ValueError(f"frames of {height}x{width} are too narrow for a long side of {self.side} pixels")
        return _centred((height, width), (rows, columns), (target_rows, target_columns), crop=self.crop)


@dataclass(frozen=True)
class ShortSide:
    """Resize the shorter side to `side`, then a centred square (DUSt3R's 224 rule). crop: as in LongSide."""

    side: int = 224
    crop: bool = True

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        longer = max(height, width)
        target = round(self.side * max(width / height, height / width))
        rows, columns = round(height * target / longer), round(width * target / longer)
        side = min(rows, columns) // 2 * 2
        return _centred((height, width), (rows, columns), (side, side), crop=self.crop)


def _centred(native: tuple[int, int], resized: tuple[int, int], size: tuple[int, int], *, crop: bool) -> Framing:
    """Resize to `resized`, bicubic where that enlarges, then a window about the middle, or a second resize."""
    bicubic = max(resized) >= max(native)
    if not crop:
        return Framing(native, size, size, via=resized, bicubic=bicubic)
    offset = (resized[0] // 2 - size[0] // 2, resized[1] // 2 - size[1] // 2)
    return Framing(native, resized, size, offset=offset, bicubic=bicubic)


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
    return _filtered(images, size, _lanczos_matrix)


def bicubic_resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The same with Pillow's BICUBIC filter (Keys' cubic with a = -1/2)."""
    return _filtered(images, size, _bicubic_matrix)


def _filtered(images: Tensor, size: tuple[int, int], weights: Callable[[int, int], Tensor]) -> Tensor:
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    rows = weights(images.shape[-2], size[0]).to(images)
    columns = weights(images.shape[-1], size[1]).to(images)
    return (rows @ (images @ columns.T).clamp(0, 1)).clamp(0, 1)


@lru_cache(maxsize=32)
def _lanczos_matrix(source: int, target: int) -> Tensor:
    """[target, source] weights, rows sum to 1."""
    offset = _offsets(source, target)
    weights = torch.sinc(offset) * torch.sinc(offset / 3) * (offset.abs() < 3)
    return (weights / weights.sum(1, keepdim=True)).float()


@lru_cache(maxsize=32)
def _bicubic_matrix(source: int, target: int) -> Tensor:
    """[target, source] weights, rows sum to 1."""
    x = _offsets(source, target).abs()
    outer = (((5 - x) * x - 8) * x + 4) / 2 * (x < 2)
    weights = torch.where(x < 1, (1.5 * x - 2.5) * x * x + 1, outer)
    return (weights / weights.sum(1, keepdim=True)).float()


def _offsets(source: int, target: int) -> Tensor:
    """[target, source]: from every target pixel's centre to every source pixel's, in units of the coarser pixels."""
    scale = source / target
    centre = (torch.arange(target, dtype=torch.float64) + 0.5) * scale
    position = (torch.arange(source, dtype=torch.float64) + 0.5)[None] - centre[:, None]
    return position / max(scale, 1.0)


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


def _window(maps: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Rows top..top+height-1 and columns left..left+width-1 of [..., H, W]; beyond the border, edges repeat."""
    for axis, start, length in ((-2, top, height), (-1, left, width)):
        if start or length != maps.shape[axis]:
            index = torch.arange(start, start + length, device=maps.device).clamp(0, maps.shape[axis] - 1)
            maps = maps.index_select(axis, index)
    return maps


def _shift_intrinsics(intrinsics: Tensor, top: int, left: int, *, sign: int) -> Tensor:
    shifted = intrinsics.clone()
    shifted[..., 0, 2] += sign * left
    shifted[..., 1, 2] += sign * top
    return shifted
