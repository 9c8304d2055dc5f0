"""RLBench episodes as recorded, by cameras that stand still."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.arrays import save_arrays
from motion4d.io.files import write_json
from motion4d.io.images import write_image
from motion4d.layouts.rlbench import PARAMETERS, depths, frames
from prepare.export.geometry import truth_of


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`, each as the only episode of its task, seen by the front camera.

    A ValueError if the camera of one moves, which the format cannot say.
    """
    for clip in clips:
        truth = truth_of(clip)
        if not np.allclose(truth.camera_to_world, truth.camera_to_world[0], atol=1e-6):
            raise ValueError(f"{truth.name} cannot be written: its camera moves, but those of RLBench stand still")
        task = folder / "rlbench" / truth.name
        for frame, (picture, depth) in enumerate(zip(truth.images, truth.depth, strict=True)):
            write_image(task / "episode0" / frames("front") / f"{frame}.jpg", picture)
            save_arrays(task / "episode0" / depths("front") / f"{frame}.npz", arr_0=depth)
        world_to_camera = np.linalg.inv(truth.camera_to_world[0])
        camera = {
            "Extrinsic": world_to_camera.tolist(),
            "Intrinsic": truth.intrinsics[0].tolist(),
        }
        write_json(task / PARAMETERS, {"front": camera})
