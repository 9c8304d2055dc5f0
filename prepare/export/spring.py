"""Spring as downloaded: a folder per archive, each with spring/train/SEQUENCE/PART, of the left eye. Needs h5py."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from motion4d.io.spring_files import write_dsp5
from motion4d.layouts.spring import BASELINE, CAMERAS, TRAINING, disparities, frames
from prepare.export.geometry import truth_of

IMAGES, TRUTH, POSES = "train_frame_left", "train_disp1_left", "train_cam_data"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        truth = truth_of(clip)
        images, depths, poses = (folder / part / "spring" / TRAINING / truth.name for part in (IMAGES, TRUTH, POSES))
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True), 1):
            write_image(images / frames("left") / f"frame_left_{frame:04d}.png", picture)
            disparity = BASELINE * truth.intrinsics[frame - 1, 0, 0] / depth
            twice = disparity.repeat(2, 0).repeat(2, 1)
            write_dsp5(depths / disparities("left") / f"disp1_left_{frame:04d}.dsp5", twice)
        focal_and_centre = truth.intrinsics[:, (0, 1, 0, 1), (0, 1, 2, 2)]
        world_to_camera = np.linalg.inv(truth.camera_to_world).reshape(-1, 16)
        for name, rows in (("intrinsics", focal_and_centre), ("extrinsics", world_to_camera)):
            lines = [" ".join(f"{number:.9f}" for number in row) for row in rows.tolist()]
            write_text(poses / CAMERAS / f"{name}.txt", "\n".join(lines) + "\n")
