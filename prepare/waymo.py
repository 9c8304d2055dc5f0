"""Waymo Open, front camera: python -m prepare.waymo --source FOLDER_OF_TFRECORDS --root data/waymo

Reads the perception data of version 1 (segment-..._with_camera_labels.tfrecord), without TensorFlow: images, cameras,
and the LiDAR points that the front camera sees, as motion4d.layouts.waymo lays them out. About 0.2 GB per segment.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.files import atomic_path
from motion4d.layouts import camera_files
from motion4d.layouts import waymo as layout
from motion4d.layouts.geometry import Cameras
from prepare import waymo_frame
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job
from prepare.tfrecords import Span, read_record, spans

RECORDS = "*.tfrecord"
SUFFIX = "_with_camera_labels"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every file of records, which is one segment."""
    records = sorted(path for source in sources for path in source.rglob(RECORDS))
    if not records:
        raise ValueError(f"there is no {RECORDS} below {', '.join(map(str, sources))}; name the folder that holds them")
    for path in records:
        name = path.stem.removesuffix(SUFFIX)
        yield Job(name, partial(_files, path, name))


def _files(path: Path, name: str) -> Files:
    """Images, points and cameras of one segment."""
    records = spans(path)
    if not records:
        raise ValueError(f"{path} holds no frames")
    stems = [f"{frame:06d}" for frame in range(len(records))]
    cameras = [waymo_frame.camera(read_record(path, record)) for record in records]
    known = Cameras(np.stack([one.camera_to_world for one in cameras]), np.stack([one.intrinsics for one in cameras]))
    files: dict[str, Content] = {}
    for stem, record in zip(stems, records, strict=True):
        files[f"{name}/{layout.IMAGES}/{stem}.jpg"] = partial(_write_image, path, record)
        files[f"{name}/{layout.POINTS}/{stem}.npy"] = partial(_write_points, path, record)
    return {**files, f"{name}/{camera_files.FILE}": partial(camera_files.write_cameras, stems=stems, cameras=known)}


def _write_image(records: Path, record: Span, target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(waymo_frame.image(read_record(records, record)))


def _write_points(records: Path, record: Span, target: Path) -> None:
    with atomic_path(target) as temporary:
        np.save(temporary, waymo_frame.points(read_record(records, record)))


DATASET = Dataset(
    name="waymo",
    title="Waymo Open Dataset, front camera",
    licence="Waymo Dataset License Agreement for Non-Commercial Use.",
    origin="https://waymo.com/open (registration), perception data of version 1",
    version=1,
    root=Path("data/waymo"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
