"""Pictures of an evaluation, one per sequence: what they show is up to the group that the sequence belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Clip, Source
from motion4d.io.images import write_image
from motion4d.viz.comparison import comparison_sheet

Picture = tuple[str, NDArray[np.uint8]]  # name, [H, W, 3]


def write_pictures(pictures: Iterable[Picture], folder: Path) -> list[Picture]:
    """Write folder/NAME.png for each; returns them."""
    written = []
    for name, picture in pictures:
        write_image(folder / f"{name}.png", picture)
        written.append((name, picture))
    return written


def picture_name(source: Source) -> str:
    """DATASET_SEQUENCE, fit for a file."""
    return f"{source.dataset}_{source.sequence}".replace("/", "_")


def masks_picture(source: Source, clip: Clip, masks: dict[str, Tensor]) -> Picture:
    """Frames of a clip, and below them the true masks and those of every model, [N, H, W] each."""
    rows = {"truth": clip.motion[0].numpy()} if clip.motion is not None else {}
    rows.update({name: mask.numpy() for name, mask in masks.items()})
    title = f"{source.dataset} {source.sequence}: what moves in the world"
    return picture_name(source), comparison_sheet(image_bytes(clip), rows, title)


def image_bytes(clip: Clip) -> NDArray[np.uint8]:
    """The frames [N, H, W, 3] of a clip of one video."""
    return (clip.images[0].permute(0, 2, 3, 1) * 255).round().byte().numpy()
