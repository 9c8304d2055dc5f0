"""Kubric's MOVi scenes as its renderer writes them: SCENE/{rgba_00000.png,depth_00000.tiff,metadata.json}."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from motion4d.clip import Clip
from motion4d.io.files import write_json
from motion4d.io.float_images import write_float_tiff
from motion4d.io.images import write_image
from motion4d.layouts.kubric import METADATA, ray_lengths
from prepare.export.geometry import truth_of


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; they have square pixels and a centred principal point, as Kubric's."""
    for clip in clips:
        truth = truth_of(clip)
        scene, matrix = folder / "movi" / truth.name, truth.intrinsics[0]
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(scene / f"rgba_{frame:05d}.png", picture)
            write_float_tiff(scene / f"depth_{frame:05d}.tiff", depth * ray_lengths(depth.shape, matrix))
        turned = Rotation.from_matrix(truth.camera_to_world[:, :3, :3] @ np.diag([1.0, -1.0, -1.0]))
        camera = {
            "positions": truth.camera_to_world[:, :3, 3].tolist(),
            "quaternions": turned.as_quat(scalar_first=True).tolist(),
            "field_of_view": 2 * math.atan(clip.size[1] / 2 / matrix[0, 0]),
        }
        write_json(scene / METADATA, {"camera": camera})
