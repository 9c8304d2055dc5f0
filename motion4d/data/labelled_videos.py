"""Videos with a motion mask per frame, in folders -> clips for training or validation.

One loader for every layout (motion4d.layouts) and recipe: which frames, which part of them, in which colours is passed
in. Files are looked for when the length is asked for, so a configuration builds without its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from motion4d.clip import Clip, Source
from motion4d.data.crops import Crop, WholeFrame
from motion4d.data.frame_choice import FrameChoice
from motion4d.data.pictures import Pictures
from motion4d.io.images import read_image
from motion4d.io.labels import read_labels
from motion4d.layouts.sequence import SequenceFiles

Augmentation = Callable[[Pictures, Crop], Pictures]  # a random view; the crop chooses the part of it that is kept


class LabelledVideos:
    """One clip per video: images, motion (every label but 0) and source, at the files' own size.

    name: of the dataset; layout: finds the videos; frames: chooses among the labelled frames of one; crop: the part that
    is kept (None: everything); augment: makes a random view (None: the clip as it is).
    """

    def __init__(
        self,
        name: str,
        layout: Callable[[], Iterable[SequenceFiles]],
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
        """Number of videos that are long enough."""
        return len(self.sequences)

    def __getitem__(self, index: int) -> Clip:
        """A clip of video `index`, B = 1."""
        sequence = self.sequences[index]
        images = {image.stem: image for image in sequence.images}
        stems = tuple(sequence.annotations)
        chosen = tuple(stems[k] for k in self.frames(len(stems)))
        pictures = read_pictures([images[stem] for stem in chosen], [sequence.annotations[stem] for stem in chosen])
        frames, motion = self.augment(pictures, self.crop).tensors()
        return Clip(frames, motion=motion, sources=(Source(self.name, sequence.name, chosen),))

    @cached_property
    def sequences(self) -> list[SequenceFiles]:
        """The videos with enough labelled frames; a ValueError if there are none."""
        listed = list(self.layout())
        kept = [sequence for sequence in listed if len(sequence.annotations) >= self.frames.num_frames]
        if not kept:
            longest = max((len(sequence.annotations) for sequence in listed), default=0)
            raise ValueError(
                f"none of the {len(listed)} videos of {self.name} has {self.frames.num_frames} frames with masks (the "
                f"longest has {longest}); ask for fewer frames per clip"
            )
        return kept


def read_pictures(images: Sequence[Path], masks: Sequence[Path]) -> Pictures:
    """Frames and their masks; a ValueError names a file of another size than the first frame."""
    frames = [Image.fromarray(read_image(path)) for path in images]
    labels = [Image.fromarray((read_labels(path) > 0).astype(np.uint8) * np.uint8(255)) for path in masks]
    width, height = frames[0].size
    for path, picture in zip([*images, *masks], [*frames, *labels], strict=True):
        if picture.size != (width, height):
            raise ValueError(
                f"{path} is {picture.height}x{picture.width} but {images[0]} is {height}x{width} (height x width): "
                "the frames and masks of a video must have one size"
            )
    return Pictures(frames, labels)


def _unchanged(pictures: Pictures, crop: Crop) -> Pictures:
    return pictures.cropped(crop(pictures.masks))
