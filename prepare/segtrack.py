"""SegTrack v2: python -m prepare.segtrack --source SegTrackv2.zip --root data/SegTrackv2 (or --download)

Images become JPEG (quality 95) and masks are joined over the objects, both numbered 00000, 00001, ... in the order of
the published names, which SEQUENCE/names.json keeps beside the masks. Any value above --threshold (0) is foreground.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.files import write_json
from motion4d.io.images import read_image, write_image
from motion4d.io.labels import read_labels
from motion4d.io.masks import mask_name, write_mask
from motion4d.layouts import segtrack
from motion4d.layouts.folders import folder_names, images_in, some
from motion4d.layouts.sequence import SequenceFiles
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Facts, Files, Job, find_root

IMAGES, MASKS = "JPEGImages", "GroundTruth"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of the official tree, JPEGImages/SEQUENCE and GroundTruth/SEQUENCE[/OBJECT]."""
    official = find_root(sources, _is_official, what=f"folder with {IMAGES} and {MASKS}")
    for name in folder_names(official / IMAGES):
        yield Job(name, partial(_files, official, name, options.threshold))


def _files(official: Path, name: str, threshold: int) -> Files:
    """Images, joined masks and names of one sequence."""
    images, objects = images_in(official / IMAGES / name), _object_masks(official / MASKS / name)
    if not images:
        raise FileNotFoundError(f"{official / IMAGES / name} holds no image files")
    if name in segtrack.OBJECTS and len(objects) != segtrack.OBJECTS[name]:
        raise ValueError(f"{official / MASKS / name} holds {len(objects)} objects, not {segtrack.OBJECTS[name]}")
    stems = {mask_name(number): image.stem for number, image in enumerate(images)}
    for number, masks in enumerate(objects, 1):
        unpaired = sorted(set(masks) ^ set(stems.values()))
        if unpaired:
            raise FileNotFoundError(f"object {number} and the images do not both have {some(unpaired)}")
    files: dict[str, Content] = {}
    for number, image in enumerate(images):
        new = mask_name(number)
        masks_of_frame = [masks[image.stem] for masks in objects]
        files[f"{segtrack.IMAGES}/{name}/{new}.jpg"] = partial(_write_jpeg, image)
        files[f"{segtrack.MASKS}/{name}/{new}.png"] = partial(_write_union, masks_of_frame, threshold)
    files[f"{segtrack.MASKS}/{name}/names.json"] = lambda path: write_json(path, stems)
    return files


def _object_masks(folder: Path) -> list[dict[str, Path]]:
    """Per object: stem -> mask. A single object has no folder of its own."""
    numbered = [folder / child for child in folder_names(folder)]
    return [{mask.stem: mask for mask in images_in(one)} for one in numbered or [folder]]


def _write_jpeg(image: Path, target: Path) -> None:
    write_image(target, read_image(image), quality=95)


def _write_union(masks: Sequence[Path], threshold: int, target: Path) -> None:
    """Foreground where any object's mask is above the threshold (soft edges included by default)."""
    layers = [read_labels(mask) > threshold for mask in masks]
    if len({layer.shape for layer in layers}) > 1:
        raise ValueError(f"the objects' masks differ in size: {', '.join(str(mask) for mask in masks)}")
    write_mask(target, np.logical_or.reduce(layers))


def _is_official(folder: Path) -> bool:
    return (folder / IMAGES).is_dir() and (folder / MASKS).is_dir()


def _check(files: SequenceFiles, facts: Facts) -> list[str]:
    return [] if any(facts.ids) else ["none of its masks has any foreground"]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threshold", type=int, default=0, help="mask values above it are foreground (default: 0)")


DATASET = Dataset(
    name="segtrack",
    title="SegTrack v2",
    licence="its own, for research; the terms stand on its web page.",
    origin="https://web.engr.oregonstate.edu/~lif/SegTrack2/dataset.html",
    version=1,
    root=Path("data/SegTrackv2"),
    jobs=jobs,
    names=segtrack.names,
    sequence=segtrack.sequence_files,
    published=lambda options: dict.fromkeys(segtrack.OBJECTS),
    check=_check,
    downloads=(Download("https://web.engr.oregonstate.edu/~lif/SegTrack2/SegTrackv2.zip", "about 200 MB"),),
    arguments=_arguments,
    kept=("threshold",),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
