"""SegTrack v2 as downloaded: SegTrackv2/{JPEGImages,GroundTruth}/SEQUENCE[/OBJECT]/NAME.png, odd start numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.images import write_image
from prepare.export.frames import moving_instances, pictures

FIRST = 6668  # number in the first frame's name
IMAGES, MASKS = "JPEGImages", "GroundTruth"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; a single object has no folder of its own, masks have three channels."""
    for clip in clips:
        name, labels = clip.sources[0].sequence, moving_instances(clip)
        ids = [number for number in np.unique(labels).tolist() if number]
        masks = folder / "SegTrackv2" / MASKS / name
        for frame, (picture, label) in enumerate(zip(pictures(clip), labels, strict=True), FIRST):
            file = f"{name}_{frame:05d}.png"
            write_image(folder / "SegTrackv2" / IMAGES / name / file, picture)
            for number, one in enumerate(ids, 1):
                mask = np.repeat((label == one)[..., None], 3, axis=-1).astype(np.uint8) * np.uint8(255)
                write_image(masks / (str(number) if len(ids) > 1 else "") / file, mask)
