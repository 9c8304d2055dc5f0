"""SceneFun3D (Delitzas et al. 2024) as SegAffordance reads it: frames of rooms with elements to operate. No torch.

ROOT/data.lmdb                                  "visit/video/timestamp/element" -> record
ROOT/images/VISIT_VIDEO_TIMESTAMP.jpg           ROOT/depth/VISIT_VIDEO_TIMESTAMP.png, 16 bit, millimetres
ROOT/measures.json                              of every record, by prepare.scenefun3d; without it all are read once
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from motion4d.io.files import read_json
from motion4d.io.lmdb_records import LmdbRecords
from motion4d.layouts.scenefun3d_measures import Measures, measured
from motion4d.layouts.scenefun3d_records import METADATA, record_of

PREPARE = "python -m prepare.scenefun3d --source DOWNLOADED"
RECORDS, MEASURES, IMAGES, DEPTH = "data.lmdb", "measures.json", "images", "depth"


@dataclass(frozen=True)
class SceneFun3dFiles:
    """Nothing is read before it is asked for."""

    root: Path
    lmdb: Path

    def records(self, *, in_memory: bool = False) -> LmdbRecords:
        """All records; `METADATA` is among the keys."""
        return LmdbRecords(self.lmdb, in_memory=in_memory)

    def image(self, name: str) -> Path:
        """File of a record's frame; a FileNotFoundError if it is not there."""
        return self._there(self.root / IMAGES / PurePosixPath(name).name)

    def depth(self, name: str) -> Path:
        """File of a record's depth; a FileNotFoundError if it is not there."""
        return self._there(self.root / DEPTH / PurePosixPath(name).name)

    def measures(self) -> dict[str, Measures]:
        """Key -> its measures, in LMDB's order. A ValueError names a broken record."""
        records = self.records()
        keys = [key for key in records.keys() if key != METADATA]  # noqa: SIM118  not a dictionary
        file = self.root / MEASURES
        if file.is_file():
            kept = read_measures(file)
            if list(kept) == keys:
                return kept
        try:
            return {key: measured(record_of(key, data)) for key, data in records.items() if key != METADATA}
        except ValueError as error:
            raise ValueError(f"{self.lmdb}: {error}; run: {PREPARE}, which leaves it out") from error

    @staticmethod
    def _there(path: Path) -> Path:
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}, which a record names; run: {PREPARE}")
        return path


def scenefun3d(root: str | Path, lmdb_path: str | Path | None = None) -> SceneFun3dFiles:
    """What lies below `root`; lmdb_path: where the records are, if not there. A FileNotFoundError names the command."""
    root = Path(root)
    files = SceneFun3dFiles(root, root / RECORDS if lmdb_path is None else Path(lmdb_path))
    for path in (files.lmdb, root / IMAGES, root / DEPTH):
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}; run: {PREPARE} --root {root}")
    return files


def read_measures(file: Path) -> dict[str, Measures]:
    """What `measures_entry` wrote, by key."""
    try:
        return {key: Measures(*values) for key, values in read_json(file)["measures"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} does not hold measures ({error}); run: {PREPARE}") from error


def measures_entry(found: Measures) -> list[Any]:
    """As it stands in the file."""
    return list(dataclasses.astuple(found))
