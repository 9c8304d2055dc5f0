"""HOI4D as downloaded: videos in HOI4D_release/ZY.../align_rgb and colour labels in HOI4D_annotations/ZY.../2Dseg.

Only every fourth frame of HOI4D is used, so each frame of a clip is shown four times.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.images import write_image
from motion4d.io.video import write_video
from prepare.export.frames import moving_instances, pictures

REPEATED = 4
COLOURS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]], np.uint8)


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        place = Path("ZY20210800001") / "H1" / "C1" / "N01" / "S01" / "s01" / clip.sources[0].sequence
        frames = np.repeat(pictures(clip), REPEATED, axis=0)
        write_video(folder / "HOI4D_release" / place / "align_rgb" / "image.mp4", frames, frame_rate=15)
        for number, labels in enumerate(np.repeat(moving_instances(clip), REPEATED, axis=0)):
            colours = COLOURS[np.where(labels > 0, (labels - 1) % (len(COLOURS) - 1) + 1, 0)]
            write_image(folder / "HOI4D_annotations" / place / "2Dseg" / "shift_mask" / f"{number:05d}.png", colours)
