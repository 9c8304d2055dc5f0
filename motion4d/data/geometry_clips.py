"""Short clips of sequences on disk that have depth and cameras, for training: one loader for every layout and recipe.

Which frames, at what size and in what colours they are shown is passed in. (motion4d.data.sequence_clips has masks
instead.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip, Source
from motion4d.data.depth_limits import DepthLimits
from motion4d.data.frame_windows import FrameWindows
from motion4d.data.sampling import BatchShape
from motion4d.data.training_views import TrainingViews, clip_of
from motion4d.data.view import Size, View
from motion4d.io.images import read_image
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.listing import without_broken

GeometryLayout = Callable[[], list[GeometryFiles]]


class Views(Protocol):
    """How the frames of a clip are shown (motion4d.data.training_views, motion4d.data.pair_views)."""

    def __call__(self, views: Sequence[View], size: Size, *, sparse: bool = False) -> list[View]:
        """The frames at `size`. sparse: their depth is points."""
        ...


class GeometryClips:
    """Clips with images, depth, valid, camera_to_world, intrinsics and source, B = 1.

    name: of the data set; layout: a function of motion4d.layouts with its root filled in; windows: cuts sequences into
    clips; shape: of a clip where no batch chooses another one; views: how frames are shown (None: as they are, at that
    size); limits: which depths are believed. Nothing is read before it is asked for; a missing root is then a
    FileNotFoundError that names the prepare command.
    """

    def __init__(
        self,
        name: str,
        layout: GeometryLayout,
        windows: FrameWindows,
        shape: BatchShape,
        *,
        views: Views | None = None,
        limits: DepthLimits | None = None,
    ) -> None:
        self.name = name
        self.layout = layout
        self.windows = windows
        self.shape = shape
        self.views = views or TrainingViews()
        self.limits = limits

    def __len__(self) -> int:
        """Number of clips; the number of their frames does not change it."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> Clip:
        """Clip `index` in the shape of the constructor."""
        return self.shaped(index, self.shape)

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """Clip `index` with the frames and the size of `shape`."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        which = bisect_right(self._ends, index)
        files = self.sequences[which]
        chosen = self.windows(len(files.images), index - (self._ends[which - 1] if which else 0), shape.frames)
        poses, intrinsics = _known_cameras(files)
        views = [self._view(files, intrinsics[frame], frame) for frame in chosen]
        stems = tuple(files.images[frame].stem for frame in chosen)
        shown = self.views(views, shape.size, sparse=files.sparse)
        return clip_of(shown, poses[chosen], Source(self.name, files.name, stems))

    @cached_property
    def sequences(self) -> list[GeometryFiles]:
        """The sequences that have clips; a ValueError if there are none. Broken ones are left out, with a warning."""
        listed = without_broken(self.layout(), name=self.name)
        kept = [files for files in listed if self.windows.count(len(files.images))]
        if not kept:
            longest = max((len(files.images) for files in listed), default=0)
            raise ValueError(
                f"none of the {len(listed)} sequences of {self.name} is long enough for {self.windows}, the longest "
                f"has {longest} frames"
            )
        return kept

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(self.windows.count(len(files.images)) for files in self.sequences))

    def _view(self, files: GeometryFiles, intrinsics: NDArray[np.float64], frame: int) -> View:
        if files.depth is None:
            raise ValueError(f"{self.name}: {files.name} has no depth to train on")
        image, depth = read_image(files.images[frame]), files.depth(frame)
        if depth.shape != image.shape[:2]:
            raise ValueError(
                f"the depth of {files.images[frame]} is {depth.shape[0]}x{depth.shape[1]}, but the image is "
                f"{image.shape[0]}x{image.shape[1]} (height x width); prepare the data set again"
            )
        return View(image, intrinsics, depth if self.limits is None else self.limits(depth))


def _known_cameras(files: GeometryFiles) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cameras = files.cameras()
    if cameras.camera_to_world is None or cameras.intrinsics is None:
        raise ValueError(f"{files.name} has no cameras to train on; prepare the data set again")
    return cameras.camera_to_world, cameras.intrinsics
