"""Writing files so that a reader never sees half of one, and the one order in which numbered names are sorted.

A file is written under a hidden temporary name in its own folder and renamed when it is complete; after an error or
Ctrl-C the temporary file is gone and an older file of that name is untouched.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` with the same suffix; rename it to `path` on success, else remove it.

    Missing parent folders are made. The caller must have closed the file when the block ends.
    """
    path = Path(path)
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: str | Path) -> Path:
    """Make a folder and its parents; an OSError of one sentence if that is impossible."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise type(error)(f"cannot make the folder {path}: {reason}; choose another output folder") from error
    return path


def check_writable(folder: str | Path) -> None:
    """Make `folder` and raise an OSError of one sentence if nothing can be written into it."""
    probe = make_folder(folder) / f".{uuid.uuid4().hex[:8]}"
    try:
        probe.touch()
    except OSError as error:
        raise type(error)(f"cannot write into {folder}: {error.strerror}; choose another output folder") from error
    probe.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. NaN is not JSON and is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a ValueError names the file if it is damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a valid JSON file ({error}); delete it or restore it") from error


def natural_key(name: str | Path) -> list[tuple[int, int, str]]:
    """Sort key under which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", str(name))  # text and digits take turns, text first
    return [(k % 2, int(part) if k % 2 else 0, part) for k, part in enumerate(parts)]
