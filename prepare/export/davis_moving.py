"""DAVIS2017-M as downloaded: OCLR's curated annotations, DAVIS17-motion/SEQUENCE/00000.png, and DAVIS beside them.

The labels of DAVIS itself are whole objects, whether they move in the frame or not; the curated ones those that move.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from motion4d.clip import Clip
from motion4d.io.images import write_image
from prepare.export.davis import write_sequence
from prepare.export.frames import instances, moving_instances


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        source = clip.sources[0]
        write_sequence(clip, instances(clip), folder / "DAVIS")
        for stem, label in zip(source.frames, moving_instances(clip), strict=True):
            write_image(folder / "DAVIS17-motion" / source.sequence / f"{stem}.png", label)
