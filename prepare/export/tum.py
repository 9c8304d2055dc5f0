"""TUM RGB-D as downloaded: SEQUENCE/{rgb,depth}/STAMP.png with rgb.txt, depth.txt and groundtruth.txt.

Depth is taken 12 ms after its image, the pose 3 ms. Half-way to the next image there is another pose, that of nothing
in the clip. All is seen by the data set's camera.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.depth_files import write_depth_png
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from motion4d.io.tum_files import pose_numbers
from motion4d.layouts.tum_dynamics import INTRINSICS, PER_METRE, SIZE
from prepare.export.geometry import FixedCamera, truth_of

CAMERA = FixedCamera(SIZE, INTRINSICS)
START, RATE = 1341846313.0, 30.0
ELSEWHERE = (9, 9, 9, 0, 0, 0, 1)
DEPTH_LATER, POSE_LATER = 0.012, 0.003


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write clips that CAMERA can cut below `folder`; depth over 13.1 m is lost in the format."""
    for clip in clips:
        truth = CAMERA.cut(truth_of(clip))
        sequence = folder / truth.name
        stamps = START + np.arange(len(truth.images)) / RATE
        colour, depth = (
            [f"{stamp:.6f} {kind}/{stamp:.6f}.png" for stamp in times]
            for kind, times in (("rgb", stamps), ("depth", stamps + DEPTH_LATER))
        )
        for frame, picture in enumerate(truth.images):
            write_image(sequence / colour[frame].split()[1], picture)
            write_depth_png(sequence / depth[frame].split()[1], truth.depth[frame], per_unit=PER_METRE)
        poses = [
            f"{stamp + later:.4f} " + " ".join(f"{number:.4f}" for number in row)
            for stamp, pose in zip(stamps, pose_numbers(truth.camera_to_world), strict=True)
            for later, row in ((POSE_LATER, pose), (0.5 / RATE, ELSEWHERE))
        ]
        for name, header, lines in (
            ("rgb.txt", "# timestamp filename", colour),
            ("depth.txt", "# timestamp filename", depth),
            ("groundtruth.txt", "# timestamp tx ty tz qx qy qz qw", poses),
        ):
            write_text(sequence / name, "\n".join([header, *lines, ""]))
