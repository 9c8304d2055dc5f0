"""One frame with depth and intrinsics on its way from a file to a training batch: crops and resizes that keep all three
in agreement.

Two pixel rules, told apart by where a pixel's centre lies within it. Ours (0.5, see motion4d.clip) moves images, depth
and intrinsics alike. PAGE-4D's (0.0, `PUBLISHED_CENTRE`) resizes images by it too, but takes depth
and principal points without the half pixel, so that they lie up to half a pixel of the larger grid apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

CENTRE, PUBLISHED_CENTRE = 0.5, 0.0
Size = tuple[int, int]  # (H, W)

_TAPS = 8  # of Lanczos' kernel with four lobes


@dataclass(frozen=True)
class View:
    """image [h, w, 3] uint8; intrinsics [3, 3] float64, pixels of the image; depth [h, w] float32, 0: none here."""

    image: NDArray[np.uint8]
    intrinsics: NDArray[np.float64]
    depth: NDArray[np.float32]

    @property
    def size(self) -> Size:
        """(h, w)."""
        return self.image.shape[0], self.image.shape[1]


def shaped(
    view: View, size: Size, *, window: Size | None = None, margin: int = 0, sparse: bool = False, centre: float = CENTRE
) -> View:
    """`view` at `size`: cut to `window` around the principal point, resized, cut again (PAGE-4D's processing).

    window: None: the view's own size. margin: pixels that the resize leaves for the last cut. sparse: see `resized`.
    The aspect is that of `size`, whatever the window's.
    """
    view = around_principal_point(view, window or view.size)
    view = resized(view, (size[0] + margin, size[1] + margin), sparse=sparse, centre=centre)
    return around_principal_point(view, size)


def around_principal_point(view: View, size: Size) -> View:
    """The part of `size`, or less where the view is smaller, with the principal point as near its middle as can be."""
    (height, width), (target_height, target_width) = view.size, size
    left, right = _interval(view.intrinsics[0, 2], target_width, width)
    top, bottom = _interval(view.intrinsics[1, 2], target_height, height)
    return part_of(view, (top, left), (bottom - top, right - left))


def part_of(view: View, start: tuple[int, int], size: tuple[int, ...]) -> View:
    """The part of `size` (H, W) from row and column `start` on."""
    (top, left), (height, width) = start, size
    intrinsics = view.intrinsics.copy()
    intrinsics[:2, 2] -= (left, top)
    rows, columns = slice(top, top + height), slice(left, left + width)
    return View(view.image[rows, columns], intrinsics, view.depth[rows, columns])


def resized(view: View, size: Size, *, sparse: bool = False, centre: float = CENTRE) -> View:
    """`view` at `size`, both directions by their own factor: images by Lanczos, depth by the nearest sample.

    sparse: depth is points, see `resized_depth`. centre: see the head of this file.
    """
    if view.size == size:
        return view
    factors = np.array([size[1] / view.size[1], size[0] / view.size[0]])
    intrinsics = view.intrinsics.copy()
    intrinsics[:2] *= factors[:, None]
    intrinsics[:2, 2] += centre * (factors - 1)
    depth = resized_depth(view.depth, size, sparse=sparse, centre=centre)
    return replace(view, image=lanczos(view.image, size), intrinsics=intrinsics, depth=depth)


def resized_depth(
    depth: NDArray[np.float32], size: Size, *, sparse: bool = False, centre: float = CENTRE
) -> NDArray[np.float32]:
    """[h, w] at `size`: the nearest sample.

    sparse: depth is points, each of which goes to its pixel in the new grid; the nearest to the camera wins.
    """
    return _splat(depth, size, centre) if sparse else _nearest(depth, size, centre)


def lanczos(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """[h, w, 3] -> `size` by Lanczos' kernel with four lobes, 8 taps without antialiasing, edges repeated."""
    (height, width), channels = image.shape[:2], image.shape[2]
    rows = _kernel(height, size[0]) @ image.reshape(height, -1).astype(np.float32)
    columns = rows.reshape(size[0], width, channels).transpose(1, 0, 2).reshape(width, -1)
    turned = (_kernel(width, size[1]) @ columns).reshape(size[1], size[0], channels).transpose(1, 0, 2)
    return np.ascontiguousarray(turned.round().clip(0, 255).astype(np.uint8))


def _interval(centre: float, target: int, length: int) -> tuple[int, int]:
    """Start and end of `target` pixels of `length`, `centre` in their middle if that is possible."""
    start = max(0, int(centre - target // 2))
    end = min(length, start + target)
    return max(0, end - target), end


def _kernel(source: int, target: int) -> csr_array:
    """[target, source]: row i weighs the pixels around the place that i came from."""
    places = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(places).astype(int) - _TAPS // 2 + 1
    taps = first[:, None] + np.arange(_TAPS)
    distance = places[:, None] - taps
    weights = np.sinc(distance) * np.sinc(distance / (_TAPS // 2))
    weights /= weights.sum(1, keepdims=True)
    starts = np.arange(0, _TAPS * target + 1, _TAPS)
    columns = taps.clip(0, source - 1)
    return csr_array((weights.astype(np.float32).ravel(), columns.ravel(), starts), shape=(target, source))


def _nearest(depth: NDArray[np.float32], size: Size, centre: float) -> NDArray[np.float32]:
    rows, columns = (
        np.floor((np.arange(new) + centre) * (old / new)).astype(int).clip(0, old - 1)
        for new, old in zip(size, depth.shape, strict=True)
    )
    return depth[rows[:, None], columns]


def _splat(depth: NDArray[np.float32], size: Size, centre: float) -> NDArray[np.float32]:
    rows, columns = np.nonzero(depth > 0)
    values = depth[rows, columns]
    rows, columns = (
        np.rint((old_place + centre) * (new / old) - centre).astype(int)
        for old_place, new, old in zip((rows, columns), size, depth.shape, strict=True)
    )
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    target = np.full(size, np.inf, np.float32)
    np.minimum.at(target, (rows[inside], columns[inside]), values[inside])
    target[np.isinf(target)] = 0
    return target
