"""Arrays in .npz and .npy files of data sets, read without running what is inside. No torch."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
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
