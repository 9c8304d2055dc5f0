"""PointOdyssey as downloaded: train/SEQUENCE/{rgbs,depths} and anno.npz."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.arrays import save_arrays
from motion4d.io.depth_files import write_depth_png
from motion4d.io.images import write_image
from motion4d.layouts.point_odyssey import CAMERAS, DEPTH, IMAGES, PER_METRE
from prepare.export.geometry import truth_of


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        truth = truth_of(clip)
        sequence = folder / "point_odyssey" / "train" / truth.name
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(sequence / IMAGES / f"rgb_{frame:05d}.jpg", picture)
            write_depth_png(sequence / DEPTH / f"depth_{frame:05d}.png", depth, per_unit=PER_METRE)
        world_to_camera = np.linalg.inv(truth.camera_to_world)
        save_arrays(sequence / CAMERAS, intrinsics=truth.intrinsics, extrinsics=world_to_camera)
