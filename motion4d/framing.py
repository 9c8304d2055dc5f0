"""Framing: how native frames become a network's input, as a value with an inverse.

A rule (`FitPixels`, `Square`, `Native`, `FitWidth`, `FitWidthThenSquare`, `Letterbox`, `PaddedSquare`, `LongSide`,
`ShortSide`) looks at a native size and returns a `Framing`; the framing carries images, points and intrinsics in, and
masks, logits, depth, flow, points and intrinsics back to native resolution. No network resizes for itself.
Pixel convention: see motion4d.clip (resizing by s maps u to (u + 0.5) s - 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from torch import Tensor

from motion4d.resampling import BICUBIC, BILINEAR, LANCZOS, Filter, filtered_resize, resize_maps, window


@dataclass(frozen=True)
class Framing:
    """Add `border` to `native`, resize to `resized`, and put that into `size` at `offset`; sizes are (H, W).

    border: native pixels added (top, left, bottom, right). offset: row and column of `size` where the resized picture
    begins; what reaches beyond `size` is cut, and a negative offset cuts at the top or left. fill: the colour around
    the picture, where maps are 0; None repeats the edge, of images and maps. kind: the filter of the images.
    via: images are resized to this size first, and by the filter `then` from there to `resized`.
    """

    native: tuple[int, int]
    resized: tuple[int, int]
    size: tuple[int, int]
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    offset: tuple[int, int] = (0, 0)
    fill: float | None = None
    kind: Filter = LANCZOS
    via: tuple[int, int] | None = None
    then: Filter = LANCZOS

    @property
    def scale(self) -> tuple[float, float]:
        """(vertical, horizontal) factor from native to resized pixels."""
        height, width = self._bordered
        return self.resized[0] / height, self.resized[1] / width

    def images(self, images: Tensor) -> Tensor:
        """[..., 3, H, W] in [0, 1] at native size -> network size (filters: as the published pipelines)."""
        images, kind = self._with_border(images, self.fill), self.kind
        if self.via is not None:
            images, kind = filtered_resize(images, self.via, kind), self.then
        return self._placed(filtered_resize(images, self.resized, kind), self.fill)

    def labels(self, labels: Tensor) -> Tensor:
        """[..., H, W] masks or ids at native size -> network size, nearest neighbour."""
        return self._in(labels, mode="nearest-exact")

    def values(self, values: Tensor) -> Tensor:
        """[..., H, W] float maps (depth) at native size -> network size, bilinear."""
        return self._in(values, mode="bilinear")

    def flow(self, flow: Tensor) -> Tensor:
        """[..., 2, H, W] in native pixels -> network pixels."""
        vertical, horizontal = self.scale
        return self._in(flow, mode="bilinear") * _uv(flow, horizontal, vertical)

    def points(self, points: Tensor) -> Tensor:
        """Pixel coordinates (x, y) [..., 2]: native -> network."""
        factor, shift = self._affine(points)
        return points * factor + shift

    def intrinsics(self, intrinsics: Tensor) -> Tensor:
        """[..., 3, 3] for native pixels -> for network pixels."""
        factor, shift = self._affine(intrinsics)
        return moved_intrinsics(intrinsics, factor, shift)

    def undo_values(self, values: Tensor) -> Tensor:
        """[..., h, w] float maps (logits, depth) at network size -> native size, bilinear."""
        return self._out(values, mode="bilinear")

    def undo_labels(self, labels: Tensor) -> Tensor:
        """[..., h, w] masks or ids at network size -> native size, nearest neighbour."""
        return self._out(labels, mode="nearest-exact")

    def undo_flow(self, flow: Tensor) -> Tensor:
        """[..., 2, h, w] in network pixels -> native pixels."""
        vertical, horizontal = self.scale
        return self._out(flow, mode="bilinear") * _uv(flow, 1 / horizontal, 1 / vertical)

    def undo_points(self, points: Tensor) -> Tensor:
        """Pixel coordinates (x, y) [..., 2]: network -> native."""
        factor, shift = self._affine(points)
        return (points - shift) / factor

    def undo_intrinsics(self, intrinsics: Tensor) -> Tensor:
        """[..., 3, 3] for network pixels -> for native pixels."""
        factor, shift = self._affine(intrinsics)
        return moved_intrinsics(intrinsics, 1 / factor, -shift / factor)

    def uncut(self, maps: Tensor) -> Tensor:
        """[..., h, w] maps at network size -> resized size: padding goes, what was cut off repeats the border."""
        return window(maps, *self.offset, self.resized, None)

    def centred_in(self, size: tuple[int, int], fill: float) -> Framing:
        """The same picture in the middle of a larger one of colour `fill`; an odd pixel goes to bottom and right."""
        top, left = ((large - small) // 2 for large, small in zip(size, self.size, strict=True))
        return replace(self, size=size, offset=(self.offset[0] + top, self.offset[1] + left), fill=fill)

    @property
    def _bordered(self) -> tuple[int, int]:
        top, left, bottom, right = self.border
        return self.native[0] + top + bottom, self.native[1] + left + right

    def _affine(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(x, y) factor and shift from native to network pixels, by the half-pixel rule."""
        vertical, horizontal = self.scale
        factor = like.new_tensor([horizontal, vertical])
        border, offset = like.new_tensor(self.border[1::-1]), like.new_tensor(self.offset[::-1])
        return factor, (border + 0.5) * factor - 0.5 + offset

    def _in(self, maps: Tensor, *, mode: str) -> Tensor:
        around = None if self.fill is None else 0.0
        return self._placed(resize_maps(self._with_border(maps, around), self.resized, mode=mode), around)

    def _out(self, maps: Tensor, *, mode: str) -> Tensor:
        return window(resize_maps(self.uncut(maps), self._bordered, mode=mode), *self.border[:2], self.native, None)

    def _with_border(self, maps: Tensor, around: float | None) -> Tensor:
        return window(maps, -self.border[0], -self.border[1], self._bordered, around)

    def _placed(self, maps: Tensor, around: float | None) -> Tensor:
        return window(maps, -self.offset[0], -self.offset[1], self.size, around)


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
class FitWidth:
    """Width `side`, height in proportion, cut to `side` rows around the middle if it is larger (VGGT's "crop")."""

    side: int = 518
    multiple: int = 14

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        rows = _nearest_multiple(height * self.side / width, self.multiple)
        top = max(0, (rows - self.side) // 2)
        size = (min(rows, self.side), self.side)
        return Framing((height, width), (rows, self.side), size, offset=(-top, 0), kind=BICUBIC)


@dataclass(frozen=True)
class FitWidthThenSquare:
    """As FitWidth, then stretched to side x side, bilinear, aspect ignored (PAGE-4D's published evaluation)."""

    side: int = 518
    multiple: int = 14

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        framing, square = FitWidth(self.side, self.multiple)(height, width), (self.side, self.side)
        if framing.size == square:
            return framing
        # fewer rows than columns: nothing was cut, and nothing shrinks now
        return replace(framing, resized=square, size=square, via=framing.resized, then=BILINEAR)


@dataclass(frozen=True)
class Letterbox:
    """Longer side `side`, the other in proportion, in the middle of a white square (VGGT's "pad")."""

    side: int = 518
    multiple: int = 14

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        if width >= height:
            resized = (_nearest_multiple(height * self.side / width, self.multiple), self.side)
        else:
            resized = (self.side, _nearest_multiple(width * self.side / height, self.multiple))
        framing = Framing((height, width), resized, resized, kind=BICUBIC)
        return framing.centred_in((self.side, self.side), fill=1.0)


@dataclass(frozen=True)
class PaddedSquare:
    """Black borders around the frame make it a square, which is resized to side x side (VGGT's "square")."""

    side: int = 1024

    def __call__(self, height: int, width: int) -> Framing:
        """The framing of frames of this native size."""
        longer = max(height, width)
        top, left = (longer - height) // 2, (longer - width) // 2
        border = (top, left, longer - height - top, longer - width - left)
        size = (self.side, self.side)
        return Framing((height, width), size, size, border=border, fill=0.0, kind=BICUBIC)


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
        return _middle((height, width), (rows, columns), (target_rows, target_columns), crop=self.crop)


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
        return _middle((height, width), (rows, columns), (side, side), crop=self.crop)


def moved_intrinsics(intrinsics: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """Intrinsics [..., 3, 3] of an image whose pixels (x, y) went to factor * (x, y) + shift; both [2]."""
    moved = intrinsics.clone()
    moved[..., :2, :] *= factor.unsqueeze(-1)
    moved[..., :2, 2] += shift
    return moved


def _middle(native: tuple[int, int], resized: tuple[int, int], size: tuple[int, int], *, crop: bool) -> Framing:
    """Resize to `resized`, bicubic where that enlarges; then cut `size` out of the middle, or resize again."""
    kind = BICUBIC if max(resized) >= max(native) else LANCZOS
    if not crop:
        return Framing(native, size, size, kind=kind, via=resized)
    offset = (size[0] // 2 - resized[0] // 2, size[1] // 2 - resized[1] // 2)
    return Framing(native, resized, size, offset=offset, kind=kind)


def _nearest_multiple(length: float, multiple: int) -> int:
    """At least one multiple; halves go to the even one, as published."""
    return max(1, round(length / multiple)) * multiple


def _uv(flow: Tensor, horizontal: float, vertical: float) -> Tensor:
    return flow.new_tensor([horizontal, vertical]).view(2, 1, 1)
