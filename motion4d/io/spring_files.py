"""Disparity files of Spring (.dsp5: HDF5 with one array). Needs h5py: pip install -e .[hdf5]. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path

NAME = "disparity"


def read_dsp5(path: str | Path) -> NDArray[np.float32]:
    """[2H, 2W] float32, in pixels of the H x W image. A ValueError names a file that is damaged."""
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            values: NDArray[np.float32] = np.asarray(file[NAME], np.float32)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"cannot read {path} as an HDF5 file with `{NAME}` ({error}); restore it") from error
    if values.ndim != 2:
        raise ValueError(f"{path} holds a {NAME} of the shape {values.shape}, but it must have rows and columns")
    return values


def write_dsp5(path: str | Path, disparity: NDArray[np.floating]) -> None:
    """Write [2H, 2W] atomically."""
    h5py = _h5py()
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset(NAME, data=disparity.astype(np.float32), compression="gzip")


def _h5py():  # type: ignore[no-untyped-def]
    try:
        import h5py
    except ImportError as error:
        raise ImportError("Spring's disparity files need h5py: pip install -e .[hdf5]") from error
    return h5py
