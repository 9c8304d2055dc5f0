"""Putting files of a source into a prepared root, by symbolic link, hard link or copy. The source is only ever read.

Every file appears under its name when it is complete; a link that stands in the way is replaced, never written through.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from motion4d.io.files import atomic_path


def symlink(source: Path, target: Path) -> None:
    """A symbolic link to the file's absolute path."""
    target.symlink_to(source.resolve())


def hardlink(source: Path, target: Path) -> None:
    """Another name of the same file, which must be on the same disk."""
    try:
        target.hardlink_to(source.resolve())
    except OSError as error:
        raise OSError(f"cannot hard link {source} ({error.strerror}); use --mode copy or symlink") from error


def copy(source: Path, target: Path) -> None:
    """A copy with the same time stamps."""
    shutil.copy2(source, target)


def keep(source: Path, target: Path) -> None:
    """For files that we unpacked ourselves: a second name while the first one goes away, a copy where that fails."""
    try:
        hardlink(source, target)
    except OSError:
        copy(source, target)


Mode = Callable[[Path, Path], None]
MODES: dict[str, Mode] = {"symlink": symlink, "copy": copy, "hardlink": hardlink}


def place(source: Path, target: Path, mode: Mode) -> None:
    """Put `source` at `target` by one of MODES (or `keep`)."""
    if not source.is_file():
        raise FileNotFoundError(f"there is no file {source}")
    with atomic_path(target) as temporary:
        mode(source, temporary)
