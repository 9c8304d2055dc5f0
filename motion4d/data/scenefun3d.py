"""SceneFun3D as queries: a frame, what is said about one element of it, and the element's truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from motion4d.data.part_samples import (
    Colours,
    batch,
    clamped_point,
    image_tensor,
    nearest,
    scaled_intrinsics,
    scaled_pixels,
    unit,
)
from motion4d.io.lmdb_records import LmdbRecords
from motion4d.layouts.scenefun3d import SceneFun3dFiles
from motion4d.layouts.scenefun3d_measures import Limits
from motion4d.layouts.scenefun3d_records import Record, record_of, sampled
from motion4d.part import PartMotion, PartQuery, PartSource

MILLIMETRES = 1000

T = TypeVar("T")


class SceneFun3dParts:
    """The records that `layout` (motion4d.layouts.scenefun3d.scenefun3d with its root filled in) finds, B = 1.

    size: (h, w) of the samples; limits: which records are used; scenes: which of those, as a function of their keys
    (motion4d.data.scene_split; None: all); points: of a trajectory; on_element: the point to touch is where the
    trajectory begins if that is seen, else (and by default, as published) where the motion's origin is seen; use_depth:
    without, samples have none; colours: changes images; in_memory: records are read ahead.
    Nothing is read before it is asked for, and every process opens the records for itself.
    """

    def __init__(
        self,
        name: str,
        layout: Callable[[], SceneFun3dFiles],
        size: tuple[int, int] = (256, 256),
        *,
        limits: Limits = Limits(),  # noqa: B008  frozen
        scenes: Callable[[Sequence[str]], list[int]] | None = None,
        points: int = 20,
        on_element: bool = False,
        use_depth: bool = True,
        colours: Colours | None = None,
        in_memory: bool = False,
    ) -> None:
        self.name = name
        self.layout = layout
        self.size = (int(size[0]), int(size[1]))
        self.limits = limits
        self.scenes = scenes
        self.points = points
        self.on_element = on_element
        self.use_depth = use_depth
        self.colours = colours
        self.in_memory = in_memory

    @cached_property
    def files(self) -> SceneFun3dFiles:
        """Where everything is; a FileNotFoundError that names the prepare command."""
        return self.layout()

    @cached_property
    def records(self) -> LmdbRecords:
        """All records by key."""
        return self.files.records(in_memory=self.in_memory)

    @cached_property
    def keys(self) -> list[str]:
        """Of the records that are used, in order."""
        keys = [key for key, found in self.files.measures().items() if self.limits.keep(found)]
        return keys if self.scenes is None else [keys[index] for index in self.scenes(keys)]

    def record(self, index: int) -> Record:
        """Record `index` as stored; a ValueError if it is broken."""
        return record_of(self.keys[index], self.records[self.keys[index]])

    def __len__(self) -> int:
        """Number of records that are used."""
        return len(self.keys)

    def __getitem__(self, index: int) -> PartQuery:
        """One element in one frame."""
        record = self.record(index)
        taken = sampled(len(record.trajectory), self.points)
        truth = PartMotion(
            mask=batch(nearest(record.mask, self.size), torch.bool),
            point=batch(clamped_point(self._point(record) / record.size[::-1])),
            axis=batch(unit(record.direction, f"the record {record.key}")),
            kind=batch(record.kind, torch.int64),
            origin=batch(record.origin),
            trajectory=batch(record.trajectory[taken]),
        )
        if record.track is not None and record.track_valid is not None:
            taken = sampled(len(record.track), self.points)
            truth.track = batch(scaled_pixels(record.track[taken], record.size, self.size))
            truth.track_valid = batch(record.track_valid[taken], torch.bool)
        return PartQuery(
            self._image(record),
            (record.description,),
            self._depth(record) if self.use_depth else None,
            scaled_intrinsics(record.intrinsics, record.size, self.size),
            truth,
            (PartSource(self.name, record.image, record.key, native=record.size),),
        )

    def _point(self, record: Record) -> np.ndarray:
        """(x, y) in pixels of the frame."""
        if self.on_element and record.track is not None and record.track_valid is not None and record.track_valid[0]:
            return record.track[0]
        return record.origin_2d

    def _image(self, record: Record) -> Tensor:
        path = self.files.image(record.image)
        with _opened(path, record) as image:
            image.draft("RGB", self.size[::-1])  # JPEG is decoded at the smallest scale that is large enough
            return _decoded(path, lambda: image_tensor(image, self.size, self.colours))

    def _depth(self, record: Record) -> Tensor:
        """[1, h, w] in metres, of the pixels floor(target * scale) as published (Pillow takes those half a step on)."""
        path = self.files.depth(record.depth)
        with _opened(path, record) as image:
            values = _decoded(path, lambda: np.asarray(image))
        if values.ndim != 2 or values.dtype == np.uint8:
            raise ValueError(f"the depth {path} must be grey with 16 bits; restore it")
        rows, columns = (np.arange(new) * old // new for new, old in zip(self.size, values.shape, strict=True))
        return batch(values[rows[:, None], columns].astype(np.float32) / MILLIMETRES)


def _opened(path: Path, record: Record) -> Image.Image:
    """The image, not yet decoded; a ValueError if it is damaged or of another size than its record says."""
    try:
        image = Image.open(path)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode {path} ({error}); restore it") from error
    if image.size != record.size[::-1]:
        height, width = record.size
        raise ValueError(f"{path} is {image.size[0]}x{image.size[1]}, its record {record.key} says {width}x{height}")
    return image


def _decoded(path: Path, decode: Callable[[], T]) -> T:
    try:
        return decode()
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot decode {path} ({error}); restore it") from error
