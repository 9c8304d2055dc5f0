"""NYU Depth v2, official test images: python -m prepare.nyu --source nyudepthv2.tar.gz --root data/nyu_depth

The source is the archive of FastDepth (Wofk et al. 2019): val/official/00001.h5 with `rgb` [3, H, W] and `depth`
[H, W]. Reading it needs h5py: pip install -e ".[hdf5]"
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motion4d.io.depth_files import write_depth_npy
from motion4d.io.images import write_image
from motion4d.layouts import nyu_depth as layout
from prepare.command import run
from prepare.dataset import Dataset, Download, Files, Job, find_root

OFFICIAL = "val/official"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every image of the official part."""
    official = find_root(sources, _is_official, what=f"folder with {OFFICIAL}/00001.h5") / OFFICIAL
    for file in sorted(official.glob("*.h5")):
        yield Job(file.stem, partial(_files, file))


def _files(file: Path) -> Files:
    """One image and its depth."""
    image, depth = _read(file)
    return {
        f"{layout.IMAGES}/{file.stem}.png": partial(write_image, image=image),
        f"{layout.DEPTH}/{file.stem}.npy": partial(write_depth_npy, depth=depth),
    }


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """[H, W, 3] and [H, W]; a ValueError names a file that is damaged or holds something else."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError('reading NYU Depth v2 needs h5py: pip install -e ".[hdf5]"') from error
    try:
        with h5py.File(path, "r") as file:
            image, depth = np.asarray(file["rgb"], np.uint8), np.asarray(file["depth"], np.float32)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"cannot read {path} as an HDF5 file with rgb and depth ({error}); restore it") from error
    if image.shape != (3, *depth.shape):
        raise ValueError(f"{path} holds an image of {image.shape} and a depth of {depth.shape}")
    return np.ascontiguousarray(image.transpose(1, 2, 0)), depth


def _is_official(folder: Path) -> bool:
    return any((folder / OFFICIAL).glob("*.h5"))


def _published(options: argparse.Namespace) -> Mapping[str, int | None]:
    return {f"{number:05d}": 1 for number in range(1, layout.PUBLISHED + 1)}


DATASET = Dataset(
    name="nyu",
    title="NYU Depth v2 (654 test images)",
    licence="its own, for research; the terms stand on its web page.",
    origin="https://cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html, as packed by http://fastdepth.mit.edu",
    version=1,
    root=Path("data/nyu_depth"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    published=_published,
    downloads=(Download("http://datasets.lids.mit.edu/fastdepth/data/nyudepthv2.tar.gz", "32 GB"),),
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
