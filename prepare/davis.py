"""DAVIS 2016 and 2017: python -m prepare.davis --source DAVIS-2017-trainval-480p.zip --root data/DAVIS (or --download)

More sources are put together: DAVIS-2017-Unsupervised-trainval-480p.zip adds Annotations_unsupervised. What comes first
wins: with DAVIS-data.zip (2016) in front, annotations are its one 0/255 mask per frame; the ids in manifest.json tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.labels import read_labels
from motion4d.layouts import davis, davis_lists
from motion4d.layouts.folders import folder_names, images_in, paired
from motion4d.layouts.sequence import SequenceFiles
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Facts, Files, Job, find_root

ETH = "https://data.vision.ee.ethz.ch/csergi/share/davis"
COMMAND = "python -m prepare.davis"
VOID = 255


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of the first source with images, with the annotations of the first that has them."""
    images = find_root(sources, partial(_has, davis.IMAGES), what="DAVIS folder with JPEGImages/480p")
    masks = find_root(sources, partial(_has, davis.MASKS), what="DAVIS folder with Annotations/480p")
    for name in davis.names(images):
        yield Job(name, partial(_files, images, masks, _unsupervised(sources), name))


def sequence_files(images: Path, masks: Path, name: str, *, annotations: str = davis.MASKS) -> dict[str, Content]:
    """Images and masks of one sequence of an official tree, each at its place; every frame must have its mask."""
    folders = davis.image_folder(images) / name, davis.mask_folder(masks, annotations) / name
    files = paired(name, *folders, prepare=f"{COMMAND} with a complete source")
    return official_places(files, annotations)


def official_places(files: SequenceFiles, annotations: str = davis.MASKS) -> dict[str, Content]:
    """The files of a sequence at their places in the official layout."""
    parts = (davis.IMAGES, files.images), (annotations, tuple(files.annotations.values()))
    return {f"{kind}/{davis.RESOLUTION}/{files.name}/{path.name}": path for kind, paths in parts for path in paths}


def check(files: SequenceFiles, facts: Facts) -> list[str]:
    """Names without gaps; labels 0/255, or ids up to the published number of objects that all begin in frame 0."""
    problems = wrong_stems(files)
    _, objects = davis_lists.VAL_2017_FRAMES_AND_OBJECTS.get(files.name, (None, None))
    if objects is None or set(facts.ids) <= {0, VOID}:
        return problems
    if max(facts.ids) > objects:
        problems.append(f"its masks hold the label {max(facts.ids)}, but it has {objects} objects")
    first = set(np.unique(read_labels(files.annotations[files.stems[0]])).tolist())
    absent = sorted(set(range(1, objects + 1)) - first)
    if absent:
        problems.append(f"objects {absent} are not in its first mask")
    return problems


def wrong_stems(files: SequenceFiles) -> list[str]:
    """A sentence if the frames are not named 00000, 00001, ..."""
    wrong = [f"{number:05d}" for number, stem in enumerate(files.stems) if stem != f"{number:05d}"]
    return [f"frame {wrong[0]} is missing (frames are named 00000, 00001, ...)"] if wrong else []


def _files(images: Path, masks: Path, unsupervised: Path | None, name: str) -> Files:
    files = sequence_files(images, masks, name)
    if unsupervised is not None and images_in(davis.mask_folder(unsupervised, davis.UNSUPERVISED) / name):
        files |= sequence_files(images, unsupervised, name, annotations=davis.UNSUPERVISED)
    return files


def _unsupervised(sources: Sequence[Path]) -> Path | None:
    try:
        return find_root(sources, partial(_has, davis.UNSUPERVISED), what=davis.UNSUPERVISED)
    except ValueError:
        return None


def _has(kind: str, folder: Path) -> bool:
    return bool(folder_names(folder / kind / davis.RESOLUTION))


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    names = {
        "2016": davis_lists.VAL_2016 + davis_lists.TRAIN_2016,
        "2017": davis_lists.ALL_2017,
        "2017val": davis_lists.VAL_2017,
    }[options.sequences]
    known = davis_lists.VAL_2017_FRAMES_AND_OBJECTS
    return {name: known[name][0] if name in known else None for name in names}


def _arguments(parser: argparse.ArgumentParser) -> None:
    choices = ["2016", "2017", "2017val"]
    parser.add_argument("--sequences", choices=choices, default="2017", help="which there should be (default: 2017)")


DATASET = Dataset(
    name="davis",
    title="DAVIS",
    licence="its own, for research; the terms stand on its web page.",
    origin="https://davischallenge.org; DAVIS-data.zip (2016): https://graphics.ethz.ch/Downloads/Data/Davis",
    version=1,
    root=Path("data/DAVIS"),
    jobs=jobs,
    names=davis.names,
    sequence=partial(davis.sequence_files, prepare=COMMAND),
    published=_published,
    check=check,
    downloads=(
        Download(f"{ETH}/DAVIS-2017-trainval-480p.zip", "about 800 MB"),
        Download(f"{ETH}/DAVIS-2017-Unsupervised-trainval-480p.zip", "about 800 MB"),
    ),
    arguments=_arguments,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
