"""Bonn RGB-D Dynamic: python -m prepare.bonn --source rgbd_bonn_dataset.zip --root data/bonn (or the five zips)

Of every sequence, --count images from --start on, with as many depth files and rows of groundtruth.txt: all by their
place in the recording, as published, not by time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.files import atomic_path
from motion4d.io.tum_files import pose_numbers, read_poses, read_stamped
from motion4d.layouts import bonn as layout
from motion4d.layouts.frame_files import some_missing
from motion4d.layouts.numbered import stamped_frames
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Files, Job, find_all

IMAGES, DEPTH, GROUNDTRUTH = "rgb", "depth", "groundtruth.txt"
START, COUNT = 30, 110
URL = "https://www.ipb.uni-bonn.de/html/projects/rgbd_dynamic2019"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence with images and poses."""
    if options.start < 0 or options.count < 1:
        raise ValueError(f"--start {options.start} --count {options.count}: from 0 on, and at least 1 frame")
    what = f"Bonn sequence (folder with {IMAGES}, {DEPTH} and {GROUNDTRUTH})"
    for name, folder in find_all(sources, _is_sequence, what=what).items():
        yield Job(name, partial(_files, folder, options.start, options.count))


def _files(folder: Path, start: int, count: int) -> Files:
    """Images, depth and poses of one sequence."""
    command = "python -m prepare.bonn with a complete source"
    files: dict[str, Content] = {}
    for kind in (IMAGES, DEPTH):
        frames = stamped_frames(folder / kind, folder.name, prepare=command)
        listed = folder / f"{kind}.txt"
        if listed.is_file():  # without a file, the places of all later ones would be wrong
            some_missing([folder / file for file in read_stamped(listed).values()], "file", prepare=command)
        _check_length(folder / kind, len(frames), start, count)
        files |= {f"{folder.name}/{kind}_{count}/{file.name}": file for file in frames[start : start + count]}
    stamps, poses = read_poses(folder / GROUNDTRUTH)
    _check_length(folder / GROUNDTRUTH, len(poses), start, count)
    rows = np.column_stack((stamps, pose_numbers(poses)))[start : start + count]
    files[f"{folder.name}/groundtruth_{count}.txt"] = partial(_write_rows, rows)
    return files


def _check_length(what: Path, found: int, start: int, count: int) -> None:
    if found < start + count:
        raise ValueError(f"{what} ends after {found} frames, but {start} to {start + count - 1} are wanted")


def _write_rows(rows: NDArray[np.float64], path: Path) -> None:
    with atomic_path(path) as temporary:
        np.savetxt(temporary, rows)


def _is_sequence(folder: Path) -> bool:
    return (folder / IMAGES).is_dir() and (folder / DEPTH).is_dir() and (folder / GROUNDTRUTH).is_file()


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    return dict.fromkeys(layout.SEQUENCES, options.count)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", type=int, default=START, help=f"first frame (default: {START})")
    parser.add_argument("--count", type=int, default=COUNT, help=f"frames per sequence (default: {COUNT})")


DATASET = Dataset(
    name="bonn",
    title="Bonn RGB-D Dynamic",
    licence="its own, for research; the terms stand on its web page.",
    origin=f"{URL}/index.html",
    version=1,
    root=Path("data/bonn"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=_published,
    downloads=tuple(Download(f"{URL}/{name}.zip", "several hundred MB") for name in layout.SEQUENCES),
    arguments=_arguments,
    kept=("start", "count"),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
