"""GOT-10k as downloaded, GOT-10k/train/SEQUENCE/00000001.jpg, and motion masks: masks/SEQUENCE/00000001.png."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from motion4d.clip import Clip
from motion4d.io.images import write_image
from motion4d.io.masks import write_mask
from prepare.export.frames import moving_instances, pictures


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        name = write_frames(clip, folder)
        for number, labels in enumerate(moving_instances(clip), 1):
            write_mask(folder / "masks" / name / f"{number:08d}.png", labels > 0)


def write_frames(clip: Clip, folder: Path) -> str:
    """Write the images; returns the sequence's name."""
    name = f"GOT-10k_Train_{clip.sources[0].sequence}"
    for number, picture in enumerate(pictures(clip), 1):
        write_image(folder / "GOT-10k" / "train" / name / f"{number:08d}.jpg", picture)
    return name
