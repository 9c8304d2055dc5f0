"""DAVIS 2017 as downloaded: DAVIS/{JPEGImages,Annotations}/480p/SEQUENCE/00000.*, and ImageSets/2017/val.txt."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from motion4d.layouts.davis import IMAGES, MASKS, RESOLUTION
from prepare.export.frames import moving_instances, pictures


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; labels are the ids of what moves in the frame."""
    names = []
    for clip in clips:
        write_sequence(clip, moving_instances(clip), folder / "DAVIS")
        names.append(clip.sources[0].sequence)
    write_text(folder / "DAVIS" / "ImageSets" / "2017" / "val.txt", "".join(f"{name}\n" for name in names))


def write_sequence(clip: Clip, labels: NDArray[np.uint8], root: Path) -> None:
    """One sequence with these labels [N, H, W]."""
    source = clip.sources[0]
    images, masks = (root / kind / RESOLUTION / source.sequence for kind in (IMAGES, MASKS))
    for stem, picture, label in zip(source.frames, pictures(clip), labels, strict=True):
        write_image(images / f"{stem}.jpg", picture)
        write_image(masks / f"{stem}.png", label)
