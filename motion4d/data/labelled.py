"""Whole sequences of a data set on disk, with masks of what moves: what a benchmark is evaluated on.

A long sequence is large as one clip (100 frames of 854x480: 490 MB), so it can also be taken in parts: `part` gives
some frames as a clip, `frames(index)` streams the images, `truth(index, stem)` reads one mask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from motion4d.clip import Clip, Source
from motion4d.io.frames import ImageFrames
from motion4d.io.images import image_size
from motion4d.io.labels import read_labels
from motion4d.layouts.sequence import SequenceFiles

Layout = Callable[[], list[SequenceFiles]]


class LabelledSequences:
    """The sequences that `layout` (a function of motion4d.layouts with its root filled in) finds, as clips of B = 1.

    name: of the data set, in results and in paths of precomputed flow; protocol: name of the one of
    motion4d.metrics.protocols by which published numbers are scored; void: the label of pixels without truth, if there
    is one. Clips have motion (any label but 0 and void), instances (the labels), and valid, which is False on void
    pixels and in frames without annotation. Nothing is read before it is asked for; a missing root is then a
    FileNotFoundError that names the prepare command.
    """

    def __init__(self, name: str, layout: Layout, *, protocol: str = "frames", void: int | None = None) -> None:
        self.name = name
        self.layout = layout
        self.protocol = protocol
        self.void = void

    @cached_property
    def sequences(self) -> list[SequenceFiles]:
        """The files of every sequence, in the layout's order."""
        return self.layout()

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.sequences)

    def __getitem__(self, index: int) -> Clip:
        """Sequence `index` as one clip, at its own size."""
        return self.part(index, 0, len(self.sequences[index].images))

    def part(self, index: int, start: int, stop: int) -> Clip:
        """Frames start..stop-1 (as far as there are) of sequence `index`; nothing else is read."""
        files = self.sequences[index].check()
        paths, stems = files.images[start:stop], files.stems[start:stop]
        frames = ImageFrames(paths, path=files.images[0].parent)
        height, width = frames.size
        images = torch.empty(len(paths), 3, height, width)
        for target, image in zip(images, frames, strict=True):
            torch.div(image, 255, out=target)
        truths = [self.truth(index, stem) for stem in stems]
        instances, valid = (torch.from_numpy(np.stack(part)) for part in zip(*truths, strict=True))
        return Clip(
            images[None],
            motion=(instances > 0)[None],
            instances=instances[None],
            valid=valid[None],
            sources=(Source(self.name, files.name, stems),),
        )

    def frames(self, index: int) -> ImageFrames:
        """The images of sequence `index` as a source that streams; its results belong into a folder of its name."""
        files = self.sequences[index].check()
        return ImageFrames(files.images, path=files.images[0].parent, folder=files.name)

    def truth(self, index: int, stem: str) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Instances [H, W] (0: static or unknown) and valid [H, W] of one frame; all invalid if it has no annotation.

        A ValueError if the mask cannot be decoded or is of another size than the frame.
        """
        files = self.sequences[index].check()
        if stem not in files.annotations:
            size = self.frames(index).size
            return np.zeros(size, np.int32), np.zeros(size, np.bool_)
        path = files.annotations[stem]
        labels = read_labels(path).astype(np.int32)
        _check_size(path, labels.shape, files.images[files.stems.index(stem)])
        valid = np.ones(labels.shape, np.bool_) if self.void is None else labels != self.void
        return np.where(valid, labels, 0), valid


def _check_size(path: Path, found: tuple[int, ...], image: Path) -> None:
    size = image_size(image)
    if found != size:
        raise ValueError(
            f"the mask {path} is {found[1]}x{found[0]}, but its frame {image.name} is {size[1]}x{size[0]} (width x "
            "height); prepare the data set again"
        )
