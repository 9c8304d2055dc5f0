"""Rows of an HDF5 file that are found by name: what OPD stores images and depth in. Reading needs h5py (extra hdf5)."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray


class NamedRows:
    """The dataset `rows` of a file, whose row k is called by entry k of the dataset `names` (its last path component).

    The file is opened when something is asked for, once per process: a pickled or forked reader opens its own.
    in_memory: read it whole, once; processes forked afterwards share that copy, a pickled reader reads again.
    """

    def __init__(self, path: str | Path, *, rows: str, names: str, in_memory: bool = False) -> None:
        self.path = Path(path)
        self.rows = rows
        self.names = names
        self.in_memory = in_memory
        self._opened: dict[int, Any] = {}
        self._copy: NDArray[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("path", "rows", "names", "in_memory")}
        return kept | {"_opened": {}, "_copy": None}

    @cached_property
    def places(self) -> dict[str, int]:
        """Name -> row."""
        names = [name.decode() if isinstance(name, bytes) else str(name) for name in self._file()[self.names][:]]
        return {PurePosixPath(name).name: row for row, name in enumerate(names)}

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of every row."""
        height, width = self._file()[self.rows].shape[1:3]
        return int(height), int(width)

    def __contains__(self, name: str) -> bool:
        return PurePosixPath(name).name in self.places

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The row of this name. A KeyError that names the file if there is none."""
        place = self.places.get(PurePosixPath(name).name)
        if place is None:
            raise KeyError(f"{self.path} has no {name}")
        if self.in_memory:
            if self._copy is None:
                self._copy = self._read(slice(None))
            return self._copy[place]
        return self._read(place)

    def _read(self, place: int | slice) -> NDArray[Any]:
        try:
            return np.asarray(self._file()[self.rows][place])
        except (OSError, ValueError) as error:
            raise ValueError(f"cannot read {self.rows} of {self.path} ({error}); restore it") from error

    def _file(self) -> Any:
        """The open file of this process, with both datasets in it."""
        process = os.getpid()
        if process not in self._opened:
            self._opened = {process: self._open()}
        return self._opened[process]

    def _open(self) -> Any:
        try:
            import h5py
        except ImportError as error:
            raise ValueError(f'reading {self.path} needs h5py: pip install -e ".[hdf5]"') from error
        try:
            file = h5py.File(self.path, "r")
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no {self.path}") from None
        except OSError as error:
            raise ValueError(f"cannot read {self.path} as an HDF5 file ({error}); restore it") from error
        missing = [name for name in (self.rows, self.names) if name not in file]
        if missing:
            raise ValueError(f"{self.path} holds no {' and no '.join(missing)}; it is not the published file")
        if file[self.rows].ndim < 3 or len(file[self.rows]) != len(file[self.names]):
            counts = f"{file[self.rows].shape} rows and {len(file[self.names])} names"
            raise ValueError(f"{self.path} holds {counts}; it is not the published file")
        return file
