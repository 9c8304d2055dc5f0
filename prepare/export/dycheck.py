"""DyCheck as downloaded: SEQUENCE/{rgb/1x,depth/1x,camera}/0_00000.*, dataset.json, and another camera at rest.

Cameras are stated for images of twice the size.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from motion4d.clip import Clip
from motion4d.io.depth_files import write_depth_npy
from motion4d.io.files import write_json
from motion4d.io.images import write_image
from motion4d.layouts.dycheck import CAMERAS, DEPTH, IMAGES
from prepare.export.geometry import truth_of

FOLDER, LARGER = "iphone", 2


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; focal lengths must be the same in both directions, as there is only one."""
    for clip in clips:
        truth = truth_of(clip)
        sequence = folder / FOLDER / truth.name
        height, width = truth.depth.shape[1:]
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            pose, intrinsics = truth.camera_to_world[frame], truth.intrinsics[frame]
            camera = {
                "focal_length": LARGER * intrinsics[0, 0],
                "image_size": [LARGER * width, LARGER * height],
                "principal_point": ((intrinsics[:2, 2] + 0.5) * LARGER - 0.5).tolist(),
                "orientation": pose[:3, :3].T.tolist(),
                "position": pose[:3, 3].tolist(),
            }
            name = f"0_{frame:05d}"
            write_image(sequence / IMAGES / f"{name}.png", picture)
            write_depth_npy(sequence / DEPTH / f"{name}.npy", depth[..., None])
            write_json(sequence / CAMERAS / f"{name}.json", camera)
        write_image(sequence / IMAGES / "1_00000.png", truth.images[0])
        write_json(sequence / "dataset.json", {"ids": [f"0_{k:05d}" for k in range(len(truth.images))] + ["1_00000"]})
