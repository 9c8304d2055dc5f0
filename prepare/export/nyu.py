"""NYU Depth v2 as FastDepth packs it: nyudepthv2/val/official/00001.h5. Needs h5py: pip install -e ".[hdf5]"

Images are numbered through all clips.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from motion4d.clip import Clip
from motion4d.io.files import atomic_path
from prepare.export.geometry import truth_of

FOLDER = "nyudepthv2"


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write every frame below `folder`; a ValueError if h5py is not there."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError('writing NYU Depth v2 needs h5py: pip install -e ".[hdf5]"') from error
    truths = list(map(truth_of, clips))
    pictures, maps = (np.concatenate([getattr(truth, part) for truth in truths]) for part in ("images", "depth"))
    for number, (picture, depth) in enumerate(zip(pictures, maps, strict=True), 1):
        path = folder / FOLDER / "val/official" / f"{number:05d}.h5"
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file["rgb"], file["depth"] = picture.transpose(2, 0, 1), depth
