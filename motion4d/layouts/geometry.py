"""One video of a data set on disk with cameras and depth: what a layout says of it. No torch.

Conventions are those of motion4d.clip (OpenCV axes, pixel centres at integers), whatever the files hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.layouts.sequence import VideoFiles


@dataclass(frozen=True)
class Cameras:
    """camera_to_world [N, 4, 4] and intrinsics [N, 3, 3] (pixels of the image files), float64; None: not known."""

    camera_to_world: NDArray[np.float64] | None = None
    intrinsics: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class GeometryFiles(VideoFiles):
    """Everything but the images is read when it is asked for.

    depth: frame number -> z [h, w] float32 in the data set's unit, at the files' own size, 0 where there is none; None:
    the data set has no depth. cameras: of all frames. sparse: only some pixels have depth (LiDAR), so resizing must
    move points instead of sampling a map. timestamps: seconds, one per image.
    """

    depth: Callable[[int], NDArray[np.float32]] | None = None
    cameras: Callable[[], Cameras] = Cameras
    sparse: bool = False
    timestamps: tuple[float, ...] | None = None
