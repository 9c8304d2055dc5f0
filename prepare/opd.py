"""OPDReal or OPDMulti: python -m prepare.opd --source MotionDataset_h5_real.tar.gz --root data/opdreal

Images and depth stay in their HDF5 files. annotations_bwdf, which leaves out what moves about an origin that the image
does not show well, is taken as it is if the source has it, else made from annotations. The published annotations have
no sentences: afterwards run python -m prepare.opd_descriptions --root data/opdreal
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.files import read_json, write_json
from motion4d.layouts import opd as layout
from motion4d.layouts.opd import OpdFiles, annotation_file
from motion4d.layouts.opd_annotations import read_annotations
from prepare.command import run
from prepare.dataset import Content, Dataset, Facts, Files, Job, find_root
from prepare.opd_filter import seen_well

SHOWN = 3  # problems of one split


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every split that is there; the first of them brings what all share."""
    what = "folder of OPD (train.h5, depth.h5, annotations/MotionNet_train.json)"
    folder = find_root(sources, _is_opd, what=what)
    shared: dict[str, Content] = {layout.DEPTH: folder / layout.DEPTH}
    for name in layout.ATTRIBUTES:
        if (found := _find(sources, name)) is not None:
            shared[name] = found
    for split in layout.names(folder):
        yield Job(split, partial(_files, folder, split, shared))
        shared = {}


def _files(folder: Path, split: str, shared: Files) -> Files:
    """One split."""
    name = annotation_file(split)
    filtered, original = (folder / kind / name for kind in (layout.FILTERED, layout.ORIGINAL))
    if not filtered.is_file() and not original.is_file():
        raise FileNotFoundError(f"there is neither {filtered} nor {original}")
    target = f"{layout.FILTERED}/{name}"
    annotations: Content = filtered if filtered.is_file() else partial(_filter, original)
    return {**shared, f"{split}.h5": folder / f"{split}.h5", target: annotations}


def _filter(original: Path, target: Path) -> None:
    try:
        write_json(target, seen_well(read_json(original)))
    except KeyError as error:
        raise ValueError(f"{original} lacks the entry {error}; it is not a MotionNet annotation file") from error


def describe(files: OpdFiles) -> tuple[Facts, list[str]]:
    """Images, annotations that have a mask, size of most images; what the files do not hold or hold otherwise."""
    parts = read_annotations(files.annotations)
    if not parts:
        raise ValueError(f"{files.annotations} holds no annotations")
    images = {part.image.number: part.image for part in parts}.values()
    rows, depth = files.image_rows(), files.depth_rows()
    missing = [image.file_name for image in images if image.file_name not in rows]
    missing += [image.depth_name for image in images if image.depth_name not in depth]
    problems = [f"{name} is annotated, but not in {files.images.name} or {files.depth.name}" for name in missing]
    size = rows.size
    odd = [image for image in images if image.size != size]
    problems += [f"{image.file_name} is {_shown(size)}, its annotations say {_shown(image.size)}" for image in odd]
    if depth.size != size:
        problems.append(f"depth is {_shown(depth.size)}, the images are {_shown(size)} (width x height)")
    problems += [f"the axis of annotation {part.number} has no direction" for part in parts if not part.axis.any()]
    labelled = 0
    for part in parts:
        try:
            labelled += bool(part.mask().any())
        except ValueError as error:
            problems.append(str(error))
    ids = tuple(np.unique([part.category for part in parts]).tolist())
    return Facts(len(images), labelled, size, ids), problems[:SHOWN]


def _is_opd(folder: Path) -> bool:
    annotated = any((folder / kind).is_dir() for kind in (layout.FILTERED, layout.ORIGINAL))
    return annotated and (folder / layout.DEPTH).is_file() and bool(layout.names(folder))


def _find(sources: Sequence[Path], name: str) -> Path | None:
    try:
        return find_root(sources, lambda folder: (folder / name).is_file(), what=name) / name
    except ValueError:
        return None


def _shown(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


DATASET = Dataset(
    name="opd",
    title="OPDReal and OPDMulti",
    licence="their own, for research; the terms stand on their web pages.",
    origin="https://github.com/3dlg-hcvc/OPD and https://github.com/3dlg-hcvc/OPDMulti",
    version=1,
    root=Path("data/opdreal"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.opd,
    describe=describe,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
