"""Bonn RGB-D Dynamic as downloaded: rgbd_bonn_dataset/SEQUENCE/{rgb,depth}/STAMP.png with their lists and poses.

Poses are those of the markers, such that `corrected` gives back the clip's cameras. All are seen by the data set's
camera.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip
from motion4d.io.depth_files import write_depth_png
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from motion4d.io.tum_files import pose_numbers
from motion4d.layouts.bonn import CAMERA_TO_MARKERS, INTRINSICS, MOCAP_AXES, PER_METRE, SIZE
from prepare.export.geometry import FixedCamera, truth_of

FOLDER = "rgbd_bonn_dataset"
CAMERA = FixedCamera(SIZE, INTRINSICS)
START, RATE = 1548266469.88, 30.0


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write clips that CAMERA can cut below `folder`; depth over 13.1 m is lost in the format."""
    for clip in clips:
        truth = CAMERA.cut(truth_of(clip))
        sequence = folder / FOLDER / truth.name
        stamps = [f"{START + frame / RATE:.5f}" for frame in range(len(truth.images))]
        for stamp, picture, depth in zip(stamps, truth.images, truth.depth, strict=True):
            write_image(sequence / "rgb" / f"{stamp}.png", picture)
            write_depth_png(sequence / "depth" / f"{stamp}.png", depth, per_unit=PER_METRE)
        for kind in ("rgb", "depth"):
            write_text(sequence / f"{kind}.txt", "".join(f"{stamp} {kind}/{stamp}.png\n" for stamp in stamps))
        rows = pose_numbers(marker_poses(truth.camera_to_world))
        lines = [
            " ".join((stamp, *(f"{number:.6f}" for number in row))) for stamp, row in zip(stamps, rows, strict=True)
        ]
        write_text(sequence / "groundtruth.txt", "\n".join(["# timestamp tx ty tz qx qy qz qw", *lines, ""]))


def marker_poses(camera_to_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Poses [N, 4, 4] of markers that are CAMERA_TO_MARKERS away from these cameras."""
    turn = CAMERA_TO_MARKERS[:3, :3] / np.cbrt(np.linalg.det(CAMERA_TO_MARKERS[:3, :3]))
    poses = camera_to_world.copy()
    poses[:, :3, :3] = camera_to_world[:, :3, :3] @ turn.T
    poses[:, :3, 3] -= poses[:, :3, :3] @ CAMERA_TO_MARKERS[:3, 3]
    return MOCAP_AXES @ poses @ np.linalg.inv(MOCAP_AXES)
