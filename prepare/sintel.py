"""MPI Sintel: python -m prepare.sintel --source MPI-Sintel-complete.zip MPI-Sintel-depth-training-20150305.zip
--root data/sintel (or --download)

Of the images (MPI-Sintel-training_images.zip will do, too) the final and the clean rendering are kept.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import sintel
from motion4d.layouts.folders import folder_names, images_in
from prepare.command import run
from prepare.dataset import Content, Dataset, Download, Files, Job, find_root

FILES = "http://files.is.tue.mpg.de"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of the training part."""
    final = f"{sintel.TRAINING}/{sintel.RENDERS[0]}"
    images = find_root(sources, partial(_has, final), what=f"folder of Sintel's images ({final})")
    depth = f"{sintel.TRAINING}/{sintel.DEPTH}"
    truth = find_root(sources, partial(_has, depth), what=f"folder of Sintel's depth archive ({depth})")
    for name in folder_names(images / final):
        yield Job(name, partial(_files, images / sintel.TRAINING, truth / sintel.TRAINING, name))


def _files(images: Path, truth: Path, name: str) -> Files:
    """Renderings, depth and cameras of one sequence; the layout says later whether a frame lacks one of them."""
    pictures = {f"{render}/{name}": images_in(images / render / name) for render in sintel.RENDERS}
    depth = sorted((truth / sintel.DEPTH / name).glob("*.dpt"))
    cameras = sorted((truth / sintel.CAMERAS / name).glob("*.cam"))
    places = pictures | {f"{sintel.DEPTH}/{name}": tuple(depth), f"{sintel.CAMERAS}/{name}": tuple(cameras)}
    files: dict[str, Content] = {
        f"{sintel.TRAINING}/{place}/{path.name}": path for place, paths in places.items() for path in paths
    }
    return files


def _has(kind: str, folder: Path) -> bool:
    return bool(folder_names(folder / kind))


DATASET = Dataset(
    name="sintel",
    title="MPI Sintel",
    licence="free for research; the film is CC BY 3.0 (Blender Foundation). The terms stand on its web page.",
    origin="http://sintel.is.tue.mpg.de (images), http://sintel.is.tue.mpg.de/depth (depth and cameras)",
    version=1,
    root=Path("data/sintel"),
    jobs=jobs,
    names=sintel.names,
    sequence=sintel.sequence_files,
    published=lambda options: sintel.FRAMES,
    downloads=(
        Download(f"{FILES}/sintel/MPI-Sintel-training_images.zip", "about 3 GB"),
        Download(f"{FILES}/jwulff/sintel/MPI-Sintel-depth-training-20150305.zip", "about 1.7 GB"),
    ),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
