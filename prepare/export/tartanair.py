"""TartanAir as downloaded: procedural/Hard/SEQUENCE/{image_left,depth_left} and pose_left.txt; seen by its camera."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import make_folder, write_text
from motion4d.io.images import write_image
from motion4d.io.tum_files import pose_numbers
from motion4d.layouts.tartanair import DEPTH, IMAGES, INTRINSICS, POSES, SIZE
from prepare.export.geometry import FixedCamera, truth_of

CAMERA = FixedCamera(SIZE, INTRINSICS)
AXES = (2, 0, 1, 5, 3, 4, 6)  # of a pose's numbers: forward, right, down


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write clips that CAMERA can cut below `folder`."""
    for clip in clips:
        truth = CAMERA.cut(truth_of(clip))
        sequence = folder / "procedural" / "Hard" / truth.name
        make_folder(sequence / DEPTH)
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(sequence / IMAGES / f"{frame:06d}_left.png", picture)
            np.save(sequence / DEPTH / f"{frame:06d}_left_depth.npy", depth, allow_pickle=False)
        rows = pose_numbers(truth.camera_to_world)[:, AXES]
        lines = (" ".join(f"{number:.9e}" for number in row) for row in rows)
        write_text(sequence / POSES, "\n".join([*lines, ""]))
