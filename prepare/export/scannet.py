"""ScanNet v2 as its reader exports it: scans_test/SCENE/{color/0.jpg,pose/0.txt,intrinsic/intrinsic_color.txt}."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip
from motion4d.io.files import write_text
from motion4d.io.images import write_image
from prepare.export.geometry import truth_of

FOLDER = "scans_test"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`."""
    for clip in clips:
        truth = truth_of(clip)
        scene = folder / FOLDER / truth.name
        for frame, (picture, pose) in enumerate(zip(truth.images, truth.camera_to_world, strict=True)):
            write_image(scene / "color" / f"{frame}.jpg", picture)
            write_text(scene / "pose" / f"{frame}.txt", _matrix(pose))
        intrinsics = np.eye(4)
        intrinsics[:3, :3] = truth.intrinsics[0]
        write_text(scene / "intrinsic" / "intrinsic_color.txt", _matrix(intrinsics))


def _matrix(matrix: NDArray[np.float64]) -> str:
    return "".join(" ".join(f"{number:.6f}" for number in row) + "\n" for row in matrix)
