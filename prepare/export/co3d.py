"""CO3D as downloaded, CO3D/apple/SEQUENCE/{images,depths,depth_masks}, and VGGT's annotations beside it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import atomic_path
from motion4d.io.float_images import write_half_png
from motion4d.io.images import write_image
from motion4d.io.masks import write_mask
from motion4d.layouts.co3d import IMAGES, depth_file, mask_file
from prepare.export.geometry import truth_of

CATEGORY = "apple"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; depth is trusted everywhere but in the upper left pixel."""
    annotations = {}
    for clip in clips:
        truth = truth_of(clip)
        sequence, poses = folder / "CO3D" / CATEGORY / truth.name, np.linalg.inv(truth.camera_to_world)[:, :3]
        entries = []
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            image = sequence / IMAGES / f"frame{frame + 1:06d}.jpg"
            write_image(image, picture)
            write_half_png(depth_file(sequence, image), depth)
            trusted = np.ones(depth.shape, np.bool_)
            trusted[0, 0] = False
            write_mask(mask_file(sequence, image), trusted)
            path = image.relative_to(folder / "CO3D").as_posix()
            camera = {"extri": poses[frame].tolist(), "intri": truth.intrinsics[frame].tolist()}
            entries.append({"filepath": path, **camera})
        annotations[truth.name] = entries
    write_jgz(folder / "annotations" / f"{CATEGORY}_train.jgz", annotations)


def write_jgz(path: Path, content: object) -> None:
    """Write zipped JSON atomically."""
    with atomic_path(path) as temporary, gzip.open(temporary, "wt", encoding="utf-8") as file:
        json.dump(content, file)
