"""What the writers of every layout share: a clip's frames and labels as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motion4d.clip import Clip


def pictures(clip: Clip) -> NDArray[np.uint8]:
    """[N, H, W, 3] of the clip's first batch item."""
    return (clip.images[0] * 255).round().byte().permute(0, 2, 3, 1).numpy()


def instances(clip: Clip) -> NDArray[np.uint8]:
    """[N, H, W] ids of everything that moves at some time in the clip."""
    assert clip.instances is not None
    return clip.instances[0].byte().numpy()


def moving_instances(clip: Clip) -> NDArray[np.uint8]:
    """[N, H, W] ids of what moves in the frame itself; their union is the motion mask."""
    assert clip.motion is not None
    return np.where(clip.motion[0].numpy(), instances(clip), 0).astype(np.uint8)
