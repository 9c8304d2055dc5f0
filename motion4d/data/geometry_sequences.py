"""Whole sequences of a data set on disk, with depth and cameras: what depth and pose are evaluated on.

A long sequence is large as one clip, so it can also be taken in parts: `frames(index)` streams the images,
`depth(index, frame)` reads one map, `cameras(index)` all poses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Clip, Source
from motion4d.io.frames import ImageFrames
from motion4d.layouts.geometry import Cameras, GeometryFiles
from motion4d.resampling import resize_maps

GeometryLayout = Callable[[], list[GeometryFiles]]


class GeometrySequences:
    """The sequences that `layout` (a function of motion4d.layouts with its root filled in) finds, as clips of B = 1.

    name: of the data set, in results; depth_protocol, pose_protocol: names of those of motion4d.metrics by which
    published numbers are scored; None: the data set does not serve for that. Clips have what the files have of depth
    (0 where there is none) with valid, camera_to_world and intrinsics. Nothing is read before it is asked for; a
    missing root is then a FileNotFoundError that names the prepare command.
    """

    def __init__(
        self, name: str, layout: GeometryLayout, *, depth_protocol: str | None, pose_protocol: str | None
    ) -> None:
        self.name = name
        self.layout = layout
        self.depth_protocol = depth_protocol
        self.pose_protocol = pose_protocol

    @cached_property
    def sequences(self) -> list[GeometryFiles]:
        """The files of every sequence, in the layout's order."""
        return self.layout()

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.sequences)

    def __getitem__(self, index: int) -> Clip:
        """Sequence `index` as one clip, at the images' own size; depth of another size is brought to it (nearest)."""
        files, frames, cameras = self.sequences[index], self.frames(index), self.cameras(index)
        images = torch.stack([image.float().div_(255) for image in frames])
        depth = self._depth_like(images, index)
        return Clip(
            images[None],
            depth=depth,
            valid=None if depth is None else depth > 0,
            camera_to_world=_batched(cameras.camera_to_world),
            intrinsics=_batched(cameras.intrinsics),
            sources=(Source(self.name, files.name, files.stems),),
        )

    def frames(self, index: int) -> ImageFrames:
        """The images of sequence `index` as a source that streams; its results belong into a folder of its name."""
        files = self.sequences[index].check()
        return ImageFrames(files.images, path=files.images[0].parent, folder=files.name)

    def depth(self, index: int, frame: int) -> NDArray[np.float32]:
        """z [h, w] of one frame, at the depth file's own size; 0 where there is none.

        A ValueError if the data set has no depth, or if the file is broken.
        """
        files = self.sequences[index].check()
        if files.depth is None:
            raise ValueError(f"{self.name} has no depth ({files.name})")
        depth = files.depth(frame)
        return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))

    def cameras(self, index: int) -> Cameras:
        """camera_to_world [N, 4, 4] and intrinsics [N, 3, 3] of sequence `index`, float64; None: not known.

        A ValueError if there is not one per image.
        """
        files = self.sequences[index].check()
        cameras = files.cameras()
        for what, found in (("poses", cameras.camera_to_world), ("intrinsics", cameras.intrinsics)):
            if found is not None and len(found) != len(files.images):
                raise ValueError(
                    f"{files.name} of {self.name} has {len(found)} {what} for {len(files.images)} images; prepare it "
                    "again, into an empty folder"
                )
        return cameras

    def _depth_like(self, images: Tensor, index: int) -> Tensor | None:
        if self.sequences[index].depth is None:
            return None
        size = images.shape[-2], images.shape[-1]
        maps = (torch.from_numpy(self.depth(index, frame)) for frame in range(len(images)))
        return torch.stack([resize_maps(one, size, mode="nearest-exact") for one in maps])[None]


def _batched(matrices: NDArray[np.float64] | None) -> Tensor | None:
    return None if matrices is None else torch.from_numpy(matrices).float()[None]
