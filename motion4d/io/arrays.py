"""Arrays in .npz and .npy files: read without running what is inside, written whole or one by one. No torch."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path


def read_arrays(path: str | Path, names: Sequence[str]) -> list[NDArray[np.generic]]:
    """These arrays of an .npz file, in this order; others are not read.

    A ValueError names a file that is damaged, or what it lacks.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = set(names) - set(archive.files)
            if missing:
                raise ValueError(f"it has no {' and no '.join(sorted(missing))}")
            return [archive[name] for name in names]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, AttributeError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"cannot read {path} as an .npz file of {', '.join(names)} ({error}); restore it") from error


def read_array(path: str | Path) -> NDArray[np.generic]:
    """The array of an .npy file; a ValueError names a file that is damaged."""
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"cannot read {path} as an .npy file ({error}); restore it") from error


def save_arrays(path: str | Path, **arrays: NDArray[np.generic]) -> None:
    """Write an .npz file atomically."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]


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
