"""Frames with depth and cameras as a training shows them: a random window, one size, other colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from motion4d.clip import Clip, Source
from motion4d.data.chance import uniform
from motion4d.data.random_colours import RandomColours
from motion4d.data.view import CENTRE, PUBLISHED_CENTRE, Size, View, shaped

LEAST_DEPTH = 1e-8  # of a pixel that has one, published


@dataclass(frozen=True)
class TrainingViews:
    """window: each frame is cut to a part whose height and width are each the frame's own times a number drawn from
    this range, 1 at most; None: not cut. margin: pixels that are cut off after the resize. colours: what changes them.
    published_pixels: PAGE-4D's pixel rule instead of ours (motion4d.data.view says how they differ).
    """

    window: tuple[float, float] | None = None
    margin: int = 0
    colours: RandomColours | None = None
    published_pixels: bool = False

    def __post_init__(self) -> None:
        if self.margin < 0 or (self.window is not None and not 0 < self.window[0] <= self.window[1]):
            raise ValueError(
                f"window={self.window} needs two rising positive numbers, and margin={self.margin} must not be negative"
            )

    def __call__(self, views: Sequence[View], size: Size, *, sparse: bool = False) -> list[View]:
        """The frames of one clip at `size`. sparse: their depth is points (motion4d.data.view.resized)."""
        centre = PUBLISHED_CENTRE if self.published_pixels else CENTRE
        views = [
            shaped(view, size, window=self._window(view.size), margin=self.margin, sparse=sparse, centre=centre)
            for view in views
        ]
        if self.colours is None:
            return views
        images = self.colours([view.image for view in views])
        return [replace(view, image=image) for view, image in zip(views, images, strict=True)]

    def _window(self, size: Size) -> Size:
        if self.window is None:
            return size
        height, width = (max(1, int(side * min(1.0, uniform(*self.window)))) for side in size)
        return height, width


def clip_of(views: Sequence[View], camera_to_world: NDArray[np.float64], source: Source) -> Clip:
    """Views of one size and poses [N, 4, 4] -> a clip with B = 1.

    valid: where there is depth; nowhere if the first frame has none, since the scale of a scene hangs on it.
    """
    images, depth, intrinsics = (
        torch.from_numpy(np.stack([getattr(view, name) for view in views])) for name in ("image", "depth", "intrinsics")
    )
    depth = depth.nan_to_num(0.0, 0.0, 0.0)
    valid = depth > LEAST_DEPTH
    return Clip(
        images.permute(0, 3, 1, 2)[None].float() / 255,
        depth=depth[None],
        camera_to_world=torch.from_numpy(camera_to_world).float()[None],
        intrinsics=intrinsics.float()[None],
        valid=(valid & valid[0].any())[None],
        sources=(source,),
    )
