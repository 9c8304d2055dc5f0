"""DynamicVerse as training reads it: SCENE/rgb/00000.jpg and SCENE/mask/00000.png."""

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
        source = clip.sources[0]
        scene = folder / "DynamicVerse" / source.sequence
        for stem, picture, labels in zip(source.frames, pictures(clip), moving_instances(clip), strict=True):
            write_image(scene / "rgb" / f"{stem}.jpg", picture)
            write_mask(scene / "mask" / f"{stem}.png", labels > 0)
