"""GOT-10k as downloaded, and instance masks of what moves: masks/SEQUENCE/00000001.npz with arrays "0", "1", ..."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import atomic_path
from prepare.export.frames import instances, moving_instances
from prepare.export.got10k import write_frames


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; every frame has an array for every moving thing of the clip."""
    for clip in clips:
        name = write_frames(clip, folder)
        ids = [number for number in np.unique(instances(clip)).tolist() if number]
        for number, labels in enumerate(moving_instances(clip), 1):
            with atomic_path(folder / "masks" / name / f"{number:08d}.npz") as temporary:
                np.savez_compressed(temporary, **{str(k): labels == one for k, one in enumerate(ids)})
