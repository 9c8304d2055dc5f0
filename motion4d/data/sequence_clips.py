"""Short clips of sequences on disk, for training and validation: one loader for every layout and recipe.

Which frames, which part of them and in what colours they are shown is passed in. (motion4d.data.labelled has whole
sequences.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from motion4d.clip import Clip, Source
from motion4d.data.crops import Crop, WholeFrame
from motion4d.data.frame_choice import FrameChoice
from motion4d.data.labelled import Layout
from motion4d.data.pictures import Pictures
from motion4d.io.images import read_image
from motion4d.io.labels import read_labels
from motion4d.layouts.listing import without_broken
from motion4d.layouts.sequence import SequenceFiles

Augmentation = Callable[[Pictures, Crop], Pictures]  # a random view; the crop chooses the part of it that is kept


class SequenceClips:
    """One clip per sequence: images, motion (every label but 0) and source, at the files' own size.

    name: of the data set; layout: a function of motion4d.layouts with its root filled in; frames: chooses among the
    labelled frames of a sequence; crop: the part that is kept (None: everything); augment: makes a random view (None:
    the clip as it is). Nothing is read before it is asked for; a missing root is then a FileNotFoundError that names
    the prepare command.
    """

    def __init__(
        self,
        name: str,
        layout: Layout,
        frames: FrameChoice,
        *,
        crop: Crop | None = None,
        augment: Augmentation | None = None,
    ) -> None:
        self.name = name
        self.layout = layout
        self.frames = frames
        self.crop = crop or WholeFrame()
        self.augment = augment or _unchanged

    def __len__(self) -> int:
        """Number of sequences that are long enough."""
        return len(self.sequences)

    def __getitem__(self, index: int) -> Clip:
        """A clip of sequence `index`, B = 1."""
        name, packed = self.sequences[index]
        images, masks = unpack(packed)
        chosen = self.frames(len(images))
        pictures = read_pictures([images[k] for k in chosen], [masks[k] for k in chosen])
        frames, motion = self.augment(pictures, self.crop).tensors()
        return Clip(frames, motion=motion, sources=(Source(self.name, name, tuple(images[k].stem for k in chosen)),))

    @cached_property
    def sequences(self) -> list[tuple[str, str]]:
        """Name and packed files of the sequences with enough labelled frames; a ValueError if there are none.

        Broken sequences are left out, with a warning.
        """
        listed = without_broken(self.layout(), name=self.name)
        kept = [files for files in listed if len(files.annotations) >= self.frames.num_frames]
        if not kept:
            longest = max((len(files.annotations) for files in listed), default=0)
            raise ValueError(
                f"none of the {len(listed)} sequences of {self.name} has {self.frames.num_frames} frames with masks, "
                f"the longest has {longest}; ask for fewer frames per clip"
            )
        return [(files.name, pack(files)) for files in kept]


def pack(files: SequenceFiles) -> str:
    """The labelled frames of a sequence as one string: millions of paths would fill a gigabyte in every worker."""
    images = {image.stem: image for image in files.images}
    return "\0".join(str(path) for stem, mask in files.annotations.items() for path in (images[stem], mask))


def unpack(packed: str) -> tuple[list[Path], list[Path]]:
    """Frames and their masks, in order."""
    paths = [Path(text) for text in packed.split("\0")]
    return paths[::2], paths[1::2]


def read_pictures(images: Sequence[Path], masks: Sequence[Path]) -> Pictures:
    """Frames and their masks; a ValueError names a file of another size than the first frame."""
    frames = [Image.fromarray(read_image(path)) for path in images]
    labels = [Image.fromarray((read_labels(path) > 0).astype(np.uint8) * np.uint8(255)) for path in masks]
    width, height = frames[0].size
    for path, picture in zip([*images, *masks], [*frames, *labels], strict=True):
        if picture.size != (width, height):
            raise ValueError(
                f"{path} is {picture.height}x{picture.width} but {images[0]} is {height}x{width} (height x width): "
                "frames and masks of a sequence must have one size"
            )
    return Pictures(frames, labels)


def _unchanged(pictures: Pictures, crop: Crop) -> Pictures:
    return pictures.cropped(crop(pictures.masks))
