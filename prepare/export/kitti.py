"""KITTI as downloaded: data_depth_annotated/val/DRIVE and the raw recording, of which the first frame is not annotated.

Real depth is sparse; here two of three rows are empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.depth_files import write_depth_png
from motion4d.io.images import write_image
from motion4d.layouts.kitti_depth import PER_METRE
from prepare.export.geometry import truth_of

DEPTH, RAW, DATE = "data_depth_annotated", "kitti_raw", "2011_09_26"
EMPTY = 3  # every third row has depth


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; depth over 256 m is lost in the format."""
    for clip in clips:
        truth = truth_of(clip)
        annotated = folder / DEPTH / "val" / truth.name / "proj_depth/groundtruth/image_02"
        recorded = folder / RAW / DATE / truth.name / "image_02/data"
        rows = np.arange(truth.depth.shape[1])[:, None] % EMPTY == 0
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(recorded / f"{frame:010d}.png", picture)
            if frame:
                write_depth_png(annotated / f"{frame:010d}.png", np.where(rows, depth, 0), per_unit=PER_METRE)
