"""OPDReal and OPDMulti as queries: an image, the sentence of one of its parts, and the part's truth."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from motion4d.data.part_samples import (
    Colours,
    batch,
    clamped_point,
    image_tensor,
    nearest,
    scaled_intrinsics,
    unit,
)
from motion4d.io.named_rows import NamedRows
from motion4d.layouts.opd import OpdFiles
from motion4d.layouts.opd_annotations import OpdPart
from motion4d.part import PartMotion, PartQuery, PartSource

MILLIMETRES = 1000


class OpdParts:
    """The annotations of the split that `layout` (motion4d.layouts.opd.opd with its root filled in) finds, B = 1.

    size: (h, w) of the samples; use_depth: without, they have none; colours: changes images (a class of
    motion4d.data.random_colours), for training; in_memory: images and depth are read whole, once per process.
    Depth is in metres. The point is where the motion's origin is seen, clamped to the image, as published.
    Nothing is read before it is asked for, and every process opens the files for itself.
    """

    def __init__(
        self,
        name: str,
        layout: Callable[[], OpdFiles],
        size: tuple[int, int] = (256, 256),
        *,
        use_depth: bool = True,
        colours: Colours | None = None,
        in_memory: bool = False,
    ) -> None:
        self.name = name
        self.layout = layout
        self.size = (int(size[0]), int(size[1]))
        self.use_depth = use_depth
        self.colours = colours
        self.in_memory = in_memory

    @cached_property
    def files(self) -> OpdFiles:
        """Where everything is; a FileNotFoundError that names the prepare command."""
        return self.layout()

    @cached_property
    def images(self) -> NamedRows:
        """The images of the split."""
        return self.files.image_rows(in_memory=self.in_memory)

    @cached_property
    def depth(self) -> NamedRows:
        """The depth maps."""
        return self.files.depth_rows(in_memory=self.in_memory)

    @cached_property
    def parts(self) -> list[OpdPart]:
        """The annotations; a ValueError if one of them is of an image that the files do not hold."""
        parts = self.files.parts()
        for part in parts:
            _check_there(self.images, part.image.file_name, part)
            if self.use_depth:
                _check_there(self.depth, part.image.depth_name, part)
        return parts

    def __len__(self) -> int:
        """Number of annotations."""
        return len(self.parts)

    def __getitem__(self, index: int) -> PartQuery:
        """One annotation."""
        part = self.parts[index]
        image, item = part.image, f"annotation {part.number}"
        pixels = self.images[image.file_name][..., :3]
        _check_size(pixels, image.size, f"the image {image.file_name}")
        truth = PartMotion(
            mask=batch(nearest(part.mask(), self.size), torch.bool),
            point=batch(clamped_point(part.point())),
            axis=batch(unit(part.axis, item)),
            kind=batch(part.kind, torch.int64),
            origin=batch(part.origin),
        )
        source = PartSource(
            self.name, image.file_name, str(part.number), part.category, self.files.diagonal(part), image.size
        )
        return PartQuery(
            image_tensor(Image.fromarray(np.ascontiguousarray(pixels)), self.size, self.colours),
            (part.description,),
            self._depth_of(part) if self.use_depth else None,
            scaled_intrinsics(image.intrinsics, image.size, self.size),
            truth,
            (source,),
        )

    def _depth_of(self, part: OpdPart) -> Tensor:
        """[1, h, w] in metres."""
        values = self.depth[part.image.depth_name]
        values = values[..., 0] if values.ndim == 3 else values
        _check_size(values, part.image.size, f"the depth {part.image.depth_name}")
        return batch(nearest(values, self.size) / np.float32(MILLIMETRES))  # type: ignore[operator]


def _check_there(rows: NamedRows, name: str, part: OpdPart) -> None:
    if name not in rows:
        raise ValueError(f"annotation {part.number} needs {name}, which {rows.path} does not hold; prepare it again")


def _check_size(values: NDArray[Any], size: tuple[int, int], what: str) -> None:
    if values.shape[:2] != size:
        found = f"{values.shape[1]}x{values.shape[0]}, but its annotations say {size[1]}x{size[0]}"
        raise ValueError(f"{what} is {found} (width x height); prepare the data set again")
