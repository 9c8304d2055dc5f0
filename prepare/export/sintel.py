"""MPI Sintel as downloaded: images in MPI-Sintel-complete, depth and cameras in the depth archive."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.images import write_image
from motion4d.io.sintel_files import write_cam, write_dpt
from motion4d.layouts.sintel import CAMERAS, DEPTH, RENDERS, TRAINING
from prepare.export.geometry import truth_of

IMAGES, TRUTH = "MPI-Sintel-complete", "MPI-Sintel-depth-training-20150305"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; both renderings look alike."""
    for clip in clips:
        truth = truth_of(clip)
        for frame, picture in enumerate(truth.images):
            name = f"{truth.name}/frame_{frame + 1:04d}"
            for render in RENDERS:
                write_image(folder / IMAGES / TRAINING / render / f"{name}.png", picture)
            write_dpt(folder / TRUTH / TRAINING / DEPTH / f"{name}.dpt", truth.depth[frame])
            world_to_camera = np.linalg.inv(truth.camera_to_world[frame])
            write_cam(folder / TRUTH / TRAINING / CAMERAS / f"{name}.cam", truth.intrinsics[frame], world_to_camera)
