"""DyCheck's iPhone sequences: python -m prepare.dycheck --source apple.zip block.zip ... --root data/dycheck

Images, depth and cameras of the moving camera (0) are taken, at the resolution 1x.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.io.files import read_json
from motion4d.layouts import dycheck as layout
from motion4d.layouts.frame_files import some_missing
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job, find_all

LIST = "dataset.json"
PARTS = ((layout.IMAGES, ".png"), (layout.DEPTH, ".npy"), (layout.CAMERAS, ".json"))


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence with images and cameras."""
    what = f"DyCheck sequence (folder with {layout.IMAGES} and {layout.CAMERAS})"
    for name, folder in find_all(sources, _is_sequence, what=what).items():
        yield Job(name, partial(_files, folder))


def _files(folder: Path) -> Files:
    """What belongs to camera 0. Every frame that the sequence's own list names must have its image."""
    if (folder / LIST).is_file():
        frames = [name for name in read_json(folder / LIST)["ids"] if name.startswith(layout.CAMERA)]
        images = [folder / layout.IMAGES / f"{name}.png" for name in frames]
        some_missing(images, "image", prepare="python -m prepare.dycheck with a complete source")
    files: dict[str, Content] = {}
    for part, suffix in PARTS:
        of_camera = sorted((folder / part).glob(f"{layout.CAMERA}*{suffix}"))
        files |= {f"{folder.name}/{part}/{file.name}": file for file in of_camera}
    return files


def _is_sequence(folder: Path) -> bool:
    return (folder / layout.IMAGES).is_dir() and (folder / layout.CAMERAS).is_dir()


DATASET = Dataset(
    name="dycheck",
    title="DyCheck (iPhone)",
    licence="Apache-2.0, as its repository says.",
    origin="https://github.com/KAIR-BAIR/dycheck (docs/DATASETS.md)",
    version=1,
    root=Path("data/dycheck"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=lambda options: dict.fromkeys(layout.SEQUENCES),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
