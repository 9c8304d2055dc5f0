"""TUM RGB-D, the eight sequences with people: python -m prepare.tum --source FOLDER_OF_TGZ_OR_FOLDERS --root data/tum

Images and poses are matched in time (closest pairs first, less than --max-diff seconds apart), every --stride-th match
is taken until there are --count. A frame's depth is the one nearest to its image, at most 0.04 s away; one that serves
two frames is there twice, and associations_90.txt says which frames have none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from motion4d.io.files import write_text
from motion4d.io.tum_files import read_stamped
from motion4d.layouts import tum_dynamics as layout
from prepare.association import matches, nearest
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Files, Job, find_all

LISTS = ("rgb.txt", "depth.txt", "groundtruth.txt")
DEPTH_LIMIT = 0.04  # seconds
STRIDE, COUNT = 3, 90
URL = "https://cvg.cit.tum.de/rgbd/dataset/freiburg3"


@dataclass(frozen=True)
class Match:
    """An image (stamp and file), its pose (stamp and numbers) and the depth file nearest in time, if one is near."""

    stamp: float
    image: str
    pose_stamp: float
    pose: str
    depth: str | None


def associate(
    images: Mapping[float, str], depth: Mapping[float, str], poses: Mapping[float, str], limit: float
) -> list[Match]:
    """All matches of the three lists, in the order of the images."""
    stamps = sorted(depth)
    found = []
    for stamp, pose_stamp in matches(images, poses, limit):
        near = nearest(stamps, stamp, DEPTH_LIMIT)
        found.append(Match(stamp, images[stamp], pose_stamp, poses[pose_stamp], None if near is None else depth[near]))
    return found


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence with the three lists."""
    if options.stride < 1 or options.count < 1:
        raise ValueError(f"--stride {options.stride} --count {options.count}: both must be at least 1")
    what = f"TUM RGB-D sequence (folder with {', '.join(LISTS)})"
    for name, folder in find_all(sources, _is_sequence, what=what).items():
        yield Job(name, partial(_files, folder, options))


def _files(folder: Path, options: argparse.Namespace) -> Files:
    """Images, depth, poses and associations of one sequence."""
    images, depth, poses = (read_stamped(folder / name) for name in LISTS)
    chosen = associate(images, depth, poses, options.max_diff)[:: options.stride][: options.count]
    if not chosen:
        raise ValueError(f"no image in {folder} has a pose less than {options.max_diff} s away")
    number = options.count
    files: dict[str, Content] = {}
    for match in chosen:
        image = Path(match.image)
        files[f"{folder.name}/rgb_{number}/{image.name}"] = folder / image
        if match.depth is not None:
            files[f"{folder.name}/depth_{number}/{image.stem}.png"] = folder / match.depth
    rows = [f"{k} {one.image} {one.depth or layout.NO_DEPTH} {one.pose_stamp}" for k, one in enumerate(chosen)]
    poses_of_frames = [groundtruth_line(match) for match in chosen]
    files[f"{folder.name}/groundtruth_{number}.txt"] = partial(_write_lines, poses_of_frames)
    files[f"{folder.name}/associations_{number}.txt"] = partial(_write_lines, ["# number image depth pose", *rows])
    return files


def groundtruth_line(match: Match) -> str:
    """A row of the prepared list of poses: the pose's own stamp and numbers."""
    return f"{match.pose_stamp} {match.pose}"


def _write_lines(lines: Sequence[str], path: Path) -> None:
    write_text(path, "".join(f"{line}\n" for line in lines))


def _is_sequence(folder: Path) -> bool:
    return all((folder / name).is_file() for name in LISTS)


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    as_published = (options.stride, options.count) == (STRIDE, COUNT)
    return dict.fromkeys(layout.SEQUENCES, COUNT if as_published else None)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stride", type=int, default=STRIDE, help=f"take every so-many-th match (default: {STRIDE})")
    parser.add_argument("--count", type=int, default=COUNT, help=f"frames per sequence (default: {COUNT})")
    parser.add_argument("--max-diff", type=float, default=0.02, help="seconds from image to pose (default: 0.02)")


DATASET = Dataset(
    name="tum",
    title="TUM RGB-D (freiburg3, sitting and walking)",
    licence="CC BY 4.0.",
    origin="https://cvg.cit.tum.de/data/datasets/rgbd-dataset/download",
    version=1,
    root=Path("data/tum"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=_published,
    downloads=tuple(Download(f"{URL}/{name}.tgz", "several hundred MB") for name in layout.SEQUENCES),
    arguments=_arguments,
    kept=("stride", "count", "max_diff"),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
