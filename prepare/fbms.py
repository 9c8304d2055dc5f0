"""FBMS-59: python -m prepare.fbms --source FBMS_Trainingset.zip FBMS_Testset.zip --root data/FBMS59_clean

Frames are numbered from 1 in the order of their names; masks (0/255) carry the number of their frame, as the sequence's
Def.dat says. What is foreground: --policy gray, by brightness, as published numbers of moving object segmentation have
it; --policy def, every region of Def.dat but the first. Where the two differ, a line says so.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.images import is_image
from motion4d.io.masks import write_mask
from motion4d.layouts import fbms
from motion4d.layouts.fbms_definition import Definition, read_definition, read_values
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Files, Job

SPLITS = {"all": fbms.BOTH, "train": fbms.TRAIN, "test": fbms.TEST}
POLICIES = ("gray", "def")
DEPTH = 5  # folders above a sequence: FBMS/TrainingSet/Data/SEQUENCE
LEAST_GREY = {"marple7": 0.05, "marple2": 0.4}  # of the foreground, in [0, 1]
LEAST_GREY_ELSEWHERE = 0.1
WHITE = 0.99  # the background of colour labels is brighter than this


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every folder that holds a GroundTruth folder with a Def.dat file; a ValueError if there is none."""
    found = {path.parent.parent.name: path for source in sources for path in _definitions(source, DEPTH)}
    if not found:
        raise ValueError(
            f"there is no SEQUENCE/GroundTruth/SEQUENCEDef.dat in {', '.join(map(str, sources))}; name the folder that "
            "holds Trainingset and Testset"
        )
    for name, path in sorted(found.items()):
        yield Job(name, partial(_files, path, name, options.policy))


def foreground_by_grey(name: str, values: NDArray[np.int64], *, coloured: bool) -> NDArray[np.bool_]:
    """[H, W] values as in Def.dat -> foreground of the policy gray: neither white (in colour labels) nor dark."""
    grey = values.astype(np.float64)
    if coloured:
        red, green, blue = values >> 16, values >> 8 & 255, values & 255
        grey = np.rint(0.299 * red + 0.587 * green + 0.114 * blue)
    grey = grey / 255
    bright = grey > LEAST_GREY.get(name, LEAST_GREY_ELSEWHERE)
    return bright & (grey <= WHITE) if coloured else bright


def _files(path: Path, name: str, policy: str) -> Files:
    """Frames and masks of one sequence, and warnings about it."""
    definition, images = read_definition(path), _frames(path.parent.parent)
    if not images:
        raise FileNotFoundError(f"{path.parent.parent} holds no JPEG frames")
    if definition.frames != len(images):
        _warn(f"{name}: {path.name} speaks of {definition.frames} frames, but there are {len(images)}")
    files: dict[str, Content] = {
        f"{fbms.IMAGES}/{name}/{number:05d}.jpg": image for number, image in enumerate(images, 1)
    }
    differing = []
    for frame, label in definition.labels.items():
        if not 0 <= frame < len(images):
            raise ValueError(f"{path} labels frame {frame + 1}, but there are {len(images)} frames")
        if _own_number(label) != _own_number(images[frame]):
            _warn(f"{name}: {label.name} labels {images[frame].name}, as {path.name} says")
        masks = _masks(name, label, definition)
        if (masks["gray"] != masks["def"]).any():
            differing.append(f"{frame + 1:05d}")
        files[f"{fbms.MASKS}/{name}/{frame + 1:05d}.png"] = partial(write_mask, mask=masks[policy])
    if differing:
        _warn(f"{name}: the policies gray and def differ in {', '.join(differing)}; taking {policy}")
    return files


def _masks(name: str, label: Path, definition: Definition) -> dict[str, NDArray[np.bool_]]:
    """The foreground of one label file by each policy."""
    values, coloured = read_values(label), label.suffix.lower() == ".ppm"
    by_grey = foreground_by_grey(name, values, coloured=coloured)
    return dict(zip(POLICIES, (by_grey, definition.region_of(values) != 0), strict=True))


def _definitions(folder: Path, depth: int) -> Iterator[Path]:
    """The Def.dat files below a folder, one per sequence."""
    children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    for child in children:
        if child.name.lower() == "groundtruth":
            yield from [file for file in sorted(child.iterdir()) if file.name.lower().endswith("def.dat")][:1]
        elif depth:
            yield from _definitions(child, depth - 1)


def _frames(folder: Path) -> list[Path]:
    jpegs = [file for file in folder.iterdir() if is_image(file) and file.suffix.lower() in (".jpg", ".jpeg")]
    return sorted(jpegs, key=lambda file: file.name)


def _own_number(path: Path) -> int | None:
    """The number in a frame's or label's name: bear01_0001_gt.ppm, marple7_100.pgm, tennis385.pgm."""
    found = re.search(r"_(\d+)(?:_gt)?$", path.stem) or re.search(r"(\d+)", path.stem)
    return int(found.group(1)) if found else None


def _warn(sentence: str) -> None:
    print(f"note: {sentence}", file=sys.stderr)


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    return dict(SPLITS[options.split])


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", choices=POLICIES, default="gray", help="what is foreground (default: gray)")
    parser.add_argument("--split", choices=SPLITS, default="all", help="which sequences there should be (default: all)")


_URL = "https://lmb.informatik.uni-freiburg.de/resources/datasets/fbms"

DATASET = Dataset(
    name="fbms",
    title="FBMS-59",
    licence="its own, for research; the terms stand on its web page.",
    origin="https://lmb.informatik.uni-freiburg.de/resources/datasets",
    version=1,
    root=Path("data/FBMS59_clean"),
    jobs=jobs,
    names=fbms.names,
    sequence=fbms.sequence_files,
    published=_published,
    downloads=(
        Download(f"{_URL}/FBMS_Trainingset.zip", "about 0.5 GB"),
        Download(f"{_URL}/FBMS_Testset.zip", "about 0.5 GB"),
    ),
    arguments=_arguments,
    kept=("policy",),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
