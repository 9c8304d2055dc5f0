"""DynamicVerse: python -m prepare.dynamicverse --source DOWNLOADED --root data/dynamicverse

A scene is a folder with `rgb`, at any depth. Its masks are those in `mask`, matched by stem; else those that the
published pipeline leaves (qwen/Annotations, segmentation/frames/masks), which have names of their own and are matched
in order: there must be as many of them as frames.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.io.files import natural_key
from motion4d.layouts import dynamicverse
from motion4d.layouts.dynamicverse import IMAGES, MASKS
from motion4d.layouts.folders import first_folder, images_in, paired
from prepare.command import run
from prepare.dataset import Dataset, Files, Job

OF_THE_PIPELINE = ("qwen/Annotations", "segmentation/frames/masks")


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every scene."""
    found = [(folder.parent, source) for source in sources for folder in source.glob(f"**/{IMAGES}") if folder.is_dir()]
    if not found:
        raise ValueError(f"there is no scene (a folder with {IMAGES}) in {', '.join(map(str, sources))}")
    for scene, source in sorted(found, key=lambda pair: natural_key(pair[0])):
        name = scene.relative_to(source).as_posix() if scene != source else scene.resolve().name
        yield Job(name, partial(_files, scene, name))


def _files(scene: Path, name: str) -> Files:
    if (scene / MASKS).is_dir():
        files = paired(name, scene / IMAGES, scene / MASKS, prepare="python -m prepare.dynamicverse", sparse=True)
        images, masks = files.images, dict(files.annotations)
    else:
        images, folder = images_in(scene / IMAGES), first_folder(scene, *OF_THE_PIPELINE)
        unnamed = images_in(folder)
        if len(unnamed) != len(images):
            raise ValueError(
                f"{folder} holds {len(unnamed)} masks for {len(images)} frames, and without equal names they are "
                f"matched in order; name them like the frames and put them into {scene / MASKS}"
            )
        masks = {image.stem: mask for image, mask in zip(images, unnamed, strict=True)}
    frames = {f"{name}/{IMAGES}/{image.name}": image for image in images}
    return {**frames, **{f"{name}/{MASKS}/{stem}{mask.suffix}": mask for stem, mask in masks.items()}}


DATASET = Dataset(
    name="dynamicverse",
    title="DynamicVerse",
    licence="that of the data set's page.",
    origin="https://huggingface.co/datasets/kairunwen/DynamicVerse",
    version=1,
    root=Path("data/dynamicverse"),
    jobs=jobs,
    names=dynamicverse.names,
    sequence=dynamicverse.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
