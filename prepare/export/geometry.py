"""What the writers of layouts with depth and cameras share: a clip's truth as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip
from prepare.export.frames import pictures


@dataclass(frozen=True)
class Truth:
    """name: of the sequence; images [N, H, W, 3]; depth [N, H, W]; camera_to_world [N, 4, 4]; intrinsics [N, 3, 3]."""

    name: str
    images: NDArray[np.uint8]
    depth: NDArray[np.float32]
    camera_to_world: NDArray[np.float64]
    intrinsics: NDArray[np.float64]


def truth_of(clip: Clip) -> Truth:
    """Of the clip's first batch item; a ValueError if it lacks depth or cameras."""
    if clip.depth is None or clip.camera_to_world is None or clip.intrinsics is None:
        raise ValueError(f"{clip.sources[0].sequence} cannot be written: it has no depth or no cameras")
    return Truth(
        clip.sources[0].sequence,
        pictures(clip),
        clip.depth[0].numpy(),
        clip.camera_to_world[0].double().numpy(),
        clip.intrinsics[0].double().numpy(),
    )
