"""Key -> bytes in an LMDB folder, read by many processes and written once. Needs the package lmdb (extra lmdb)."""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from motion4d.io.files import make_folder

# LMDB refuses to open a file twice in one process, so all its readers there share what the first of them opened
_shared: weakref.WeakValueDictionary[tuple[int, int, int], Any] = weakref.WeakValueDictionary()

ROOM = 1 << 36  # bytes of address space that a file being written may take; disk space is used as it grows


def _lmdb() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise ValueError('reading LMDB needs the package lmdb: pip install -e ".[lmdb]"') from error
    return lmdb


class LmdbRecords:
    """The records of a folder with a data.mdb (or of the file itself), opened once per process when asked for.

    in_memory: the system is asked to read ahead, so that a file that fits into memory stays there.
    """

    def __init__(self, path: str | Path, *, in_memory: bool = False) -> None:
        self.path = Path(path)
        self.in_memory = in_memory
        self._opened: dict[int, Any] = {}  # by process

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "in_memory": self.in_memory, "_opened": {}}

    def keys(self) -> list[str]:
        """All keys in LMDB's order, which is that of their bytes."""
        with self._environment().begin() as reading, reading.cursor() as cursor:
            return [bytes(key).decode() for key in cursor.iternext(keys=True, values=False)]

    def __getitem__(self, key: str) -> bytes:
        """The bytes of a key; a KeyError that names the file if there are none."""
        with self._environment().begin() as reading:
            value = reading.get(key.encode())
        if value is None:
            raise KeyError(f"{self.path} has no record {key}")
        return bytes(value)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """All records in the order of the keys."""
        with self._environment().begin() as reading, reading.cursor() as cursor:
            for key, value in cursor.iternext():
                yield bytes(key).decode(), bytes(value)

    def _environment(self) -> Any:
        process = os.getpid()
        if process not in self._opened:
            if not self.path.exists():
                raise FileNotFoundError(f"there is no {self.path}")
            status = self.path.stat()
            place = process, status.st_dev, status.st_ino
            environment = _shared.get(place)
            if environment is None:
                _close_inherited()
                _shared[place] = environment = self._open()
            self._opened = {process: environment}
        return self._opened[process]

    def _open(self) -> Any:
        lmdb = _lmdb()
        try:
            keys = {"readonly": True, "lock": False, "readahead": self.in_memory, "max_readers": 512}
            return lmdb.open(str(self.path), subdir=self.path.is_dir(), **keys)
        except lmdb.Error as error:
            raise ValueError(f"cannot read {self.path} as LMDB ({error}); restore it") from error


def _close_inherited() -> None:
    """Close what the process had open from which this one was forked: it must not be used here, nor opened beside."""
    for place in [place for place in _shared if place[0] != os.getpid()]:
        environment = _shared.pop(place, None)
        if environment is not None:
            environment.close()


def write_records(path: str | Path, records: Iterable[tuple[str, bytes]]) -> None:
    """Write a folder with a data.mdb, complete or not at all; an older one of that name is replaced."""
    lmdb = _lmdb()
    target = Path(path)
    folder = make_folder(target.parent) / f".{target.name}.partial"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with lmdb.open(str(folder), map_size=ROOM) as environment, environment.begin(write=True) as writing:
            for key, value in records:
                writing.put(key.encode(), value)
        (folder / "lock.mdb").unlink(missing_ok=True)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
