"""What the writers of layouts with depth and cameras share: a clip's truth as arrays, and a layout's fixed camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip
from prepare.export.frames import pictures


@dataclass(frozen=True)
class Truth:
    """name: of the sequence; images [N, H, W, 3]; depth [N, H, W]; camera_to_world [N, 4, 4]; intrinsics [N, 3, 3]."""

    name: str
    images: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def truth_of(clip: Clip) -> Truth:
    """Of the clip's first batch item; a ValueError if it lacks depth or cameras."""
    if clip.depth is None or clip.camera_to_world is None or clip.intrinsics is None:
        raise ValueError(f"{clip.sources[0].sequence} cannot be written: it has no depth or no cameras")
    return Truth(
        clip.sources[0].sequence,
        pictures(clip),
        clip.depth[0].numpy(),
        clip.camera_to_world[0].double().numpy(),
        clip.intrinsics[0].double().numpy(),
    )


@dataclass(frozen=True)
class FixedCamera:
    """The camera of a data set whose files do not say it: size (H, W) of its images, intrinsics [3, 3] in their pixels.

    Clips of centred cameras with square pixels are cut such that these intrinsics are theirs, to half a pixel.
    """

    size: tuple[int, int]
    intrinsics: NDArray[np.float64]

    @property
    def rendered_size(self) -> tuple[int, int]:
        """(H, W) of the least clip that can be cut."""
        height, width = (length + 2 * abs(shift) for length, shift in zip(self.size, self._shifts, strict=True))
        return height, width

    @property
    def field_of_view(self) -> float:
        """The horizontal one that a clip of `rendered_size` must have, in degrees."""
        return math.degrees(2 * math.atan(self.rendered_size[1] / 2 / self.intrinsics[0, 0]))

    def cut(self, truth: Truth) -> Truth:
        """What this camera sees of a clip of `rendered_size` and `field_of_view`; a ValueError for other clips."""
        focal, size = float(truth.intrinsics[0, 0, 0]), truth.depth.shape[1:]
        if size != self.rendered_size or not math.isclose(focal, self.intrinsics[0, 0], rel_tol=1e-4):
            (height, width), wanted = size, self.rendered_size
            raise ValueError(
                f"{truth.name} cannot be written: it has {height}x{width} pixels and a focal length of {focal:.6g}, "
                f"but the data set's camera needs {wanted[0]}x{wanted[1]} (height x width) and "
                f"{self.intrinsics[0, 0]:.6g}"
            )
        rows, columns = (
            slice(abs(shift) - shift, abs(shift) - shift + length)
            for shift, length in zip(self._shifts, self.size, strict=True)
        )
        intrinsics = np.tile(self.intrinsics, (len(truth.images), 1, 1))
        return replace(
            truth, images=truth.images[:, rows, columns], depth=truth.depth[:, rows, columns], intrinsics=intrinsics
        )

    @property
    def _shifts(self) -> tuple[int, int]:
        """By how many rows and columns the principal point is below and right of the middle."""
        return (
            round(self.intrinsics[1, 2] - (self.size[0] - 1) / 2),
            round(self.intrinsics[0, 2] - (self.size[1] - 1) / 2),
        )
