"""GOT-10k with masks of what moves: python -m prepare.gotmoving --source GOT-10k/train MASKS --root data/gotmoving

MASKS are npz files named like the frames, in MASKS/SEQUENCE or MASKS/SEQUENCE/masks, each with arrays "0", "1", ...:
one per moving thing. Sequences without masks are left out (GeoMotion's authors used 530).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import gotmoving
from motion4d.layouts.folders import folder_names, images_in
from prepare.command import run
from prepare.dataset import Dataset, Files, Job, find_root
from prepare.got10k import LICENCE, ORIGIN, holds, mask_folder


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence that has masks."""
    videos = find_root(sources, holds("*/*.jpg"), what="folder of GOT-10k sequences with frames (jpg)")
    masks = find_root(sources, holds("*/*.npz", "*/masks/*.npz"), what="folder of GOT-10k sequences with masks (npz)")
    for name in folder_names(masks):
        yield Job(name, partial(_files, videos / name, mask_folder(masks / name), name))


def _files(images: Path, masks: Path, name: str) -> Files:
    frames = {f"{name}/{image.name}": image for image in images_in(images)}
    if not frames:
        raise FileNotFoundError(f"{name} has masks, but no frames in {images}")
    return {**frames, **{f"{name}/masks/{mask.name}": mask for mask in sorted(masks.glob("*.npz"))}}


DATASET = Dataset(
    name="gotmoving",
    title="GOT-10k videos with instance masks of what moves",
    licence=LICENCE,
    origin=ORIGIN,
    version=1,
    root=Path("data/gotmoving"),
    jobs=jobs,
    names=gotmoving.names,
    sequence=gotmoving.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
