"""SceneFun3D: python -m prepare.scenefun3d --source DOWNLOADED --root data/scenefun3d

The source is what the builder of SegAffordance writes: data.lmdb, images and depth. Its pickled records are read
without running what they may hold, and packed once as JSON with run-length masks, beside measures.json, which the
filters need. A broken record is named and left out. Building the records from the raw laser scans is not part of this.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.io.files import read_json, write_json
from motion4d.io.images import image_size
from motion4d.io.lmdb_records import LmdbRecords, write_records
from motion4d.layouts import scenefun3d as layout
from motion4d.layouts.scenefun3d import SceneFun3dFiles, measures_entry, read_measures
from motion4d.layouts.scenefun3d_measures import measured
from motion4d.layouts.scenefun3d_records import METADATA, packed, parsed, record_of, unpacked
from prepare.command import run
from prepare.dataset import Dataset, Facts, Files, Job, find_root
from prepare.trees import placed

NAME = "scenefun3d"  # it is one sequence to the manifest
SHOWN = 3  # problems
PICTURES = ("*.jpg", "*.jpeg", "*.png")


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Everything at once."""
    records = find_root(
        sources, lambda folder: (folder / layout.RECORDS).exists(), what=f"folder with {layout.RECORDS}"
    )
    frames = find_root(sources, _has_frames, what="folder with images and depth of SceneFun3D")
    yield Job(NAME, partial(_files, records / layout.RECORDS, frames))


def _files(records: Path, frames: Path) -> Files:
    return {
        **placed(frames / layout.IMAGES, layout.IMAGES, *PICTURES),
        **placed(frames / layout.DEPTH, layout.DEPTH, "*.png"),
        layout.MEASURES: partial(_convert, records),
    }


def _convert(records: Path, measures: Path) -> None:
    """Write the records beside `measures`, and those last, since they say that all is there."""
    found: dict[str, list[object]] = {}
    broken: dict[str, str] = {}
    write_records(measures.with_name(layout.RECORDS), _packed(LmdbRecords(records), found, broken))
    if not found:
        raise ValueError(
            f"{records} holds no record that can be read (the first: {next(iter(broken.values()), 'none')})"
        )
    write_json(measures, {"measures": found, "broken": broken})


def _packed(
    records: LmdbRecords, found: dict[str, list[object]], broken: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Every record that is not broken, while the two are filled."""
    for key, data in records.items():
        try:
            content = unpacked(key, data)
            if key != METADATA:
                found[key] = measures_entry(measured(parsed(key, content)))
                yield key, packed(content)
        except (ValueError, TypeError) as error:
            found.pop(key, None)
            broken[key] = str(error)


def describe(files: SceneFun3dFiles) -> tuple[Facts, list[str]]:
    """Frames, records with a mask, size of the first frame; what is broken, missing or of another size."""
    kept = read_measures(files.root / layout.MEASURES)
    problems = list(read_json(files.root / layout.MEASURES).get("broken", {}).values())
    records = files.records()
    if [key for key in records.keys() if key != METADATA] != list(kept):  # noqa: SIM118  not a dictionary
        problems.append(f"{layout.MEASURES} is not of the records in {layout.RECORDS}; prepare it again")
    sizes: dict[str, tuple[int, int]] = {}
    for key in kept:
        try:
            record = record_of(key, records[key])
            if record.image not in sizes:
                sizes[record.image] = image_size(files.image(record.image))
                _same_size(key, "image", sizes[record.image], record.size)
                _same_size(key, "depth", image_size(files.depth(record.depth)), record.size)
        except (ValueError, KeyError, OSError) as error:
            problems.append(str(error.args[0] if isinstance(error, KeyError) else error))
    if not sizes:
        raise ValueError(f"{files.root} holds no frame that can be read: {problems[0]}")
    with_mask = sum(found.area > 0 for found in kept.values())
    return Facts(len(sizes), with_mask, next(iter(sizes.values())), ()), problems[:SHOWN]


def _same_size(key: str, what: str, found: tuple[int, int], size: tuple[int, int]) -> None:
    if found != size:
        raise ValueError(f"the {what} of {key} is {found[1]}x{found[0]}, the record says {size[1]}x{size[0]}")


def _has_frames(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in (layout.IMAGES, layout.DEPTH))


def _names(root: Path) -> list[str]:
    return [NAME] if (root / layout.MEASURES).is_file() else []


def _sequence(root: Path, name: str) -> SceneFun3dFiles:
    return layout.scenefun3d(root)


DATASET = Dataset(
    name="scenefun3d",
    title="SceneFun3D",
    licence="its own, for non-commercial research; the terms stand on its web page.",
    origin="https://scenefun3d.github.io (asks for an agreement). The source is data.lmdb, images and depth as the "
    "builder of SegAffordance writes them; building them from the raw scans is out of scope.",
    version=1,
    root=Path("data/scenefun3d"),
    jobs=jobs,
    names=_names,
    sequence=_sequence,
    describe=describe,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
