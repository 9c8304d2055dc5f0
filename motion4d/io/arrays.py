"""Arrays by name in an npz file that is written one by one, so that their number costs no memory. No torch."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path


class ArrayFile:
    """An npz file that grows; made by `write_arrays`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def add(self, name: str, values: NDArray[np.generic]) -> None:
        """Append an array, which `numpy.load(path)[name]` gives back."""
        with self._archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, values, allow_pickle=False)


@contextmanager
def write_arrays(path: str | Path) -> Iterator[ArrayFile]:
    """Open an npz file for writing; it appears under its name when the block ends without error."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        yield ArrayFile(file)
