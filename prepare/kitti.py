"""KITTI's annotated depth: python -m prepare.kitti --source data_depth_annotated.zip RAW --root data/kitti_depth

RAW: the folder (or archives) of the raw recordings, DATE/DRIVE/image_02/data. Of every drive of the validation part the
first --count annotated frames of the left colour camera and their images are taken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import kitti_depth as layout
from motion4d.layouts.frame_files import frames_in
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job, find_all

COUNT = 110
ANNOTATED, RECORDED, PART = Path("proj_depth/groundtruth/image_02"), Path("image_02/data"), "val"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every annotated drive of the validation part."""
    if options.count < 1:
        raise ValueError(f"--count {options.count}: at least 1 frame")
    what = f"annotated drive ({PART}/DRIVE/{ANNOTATED})"
    annotated = find_all(sources, _is_annotated, what=what)
    recorded = find_all(sources, _is_recorded, what=f"recorded drive (DATE/DRIVE/{RECORDED})")
    for name, folder in annotated.items():
        yield Job(name, partial(_files, folder, recorded.get(name), options.count))


def _files(annotated: Path, recorded: Path | None, count: int) -> Files:
    """The first annotated frames of one drive, and their images."""
    name = annotated.name
    if recorded is None:
        raise FileNotFoundError(f"there is no recording of this drive (DATE/{name}/{RECORDED}) in the sources")
    command = "python -m prepare.kitti with a complete source"
    depth = frames_in(annotated / ANNOTATED, name, prepare=command)[:count]
    images = [recorded / RECORDED / file.name for file in depth]
    files: dict[str, Content] = {f"{name}/{layout.DEPTH}/{file.name}": file for file in depth}
    return files | {f"{name}/{layout.IMAGES}/{file.name}": file for file in images}


def _is_annotated(folder: Path) -> bool:
    return folder.parent.name == PART and (folder / ANNOTATED).is_dir()


def _is_recorded(folder: Path) -> bool:
    return (folder / RECORDED).is_dir()


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    return dict.fromkeys(layout.DRIVES)  # some have fewer annotated frames than --count


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=COUNT, help=f"frames per drive, at most (default: {COUNT})")


DATASET = Dataset(
    name="kitti",
    title="KITTI annotated depth (validation)",
    licence="CC BY-NC-SA 3.0, for non-commercial use.",
    origin="https://www.cvlibs.net/datasets/kitti/eval_depth.php (annotated depth) and .../raw_data.php (13 drives)",
    version=1,
    root=Path("data/kitti_depth"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=_published,
    arguments=_arguments,
    kept=("count",),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
