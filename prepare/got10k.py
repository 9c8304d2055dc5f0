"""GOT-10k with motion masks: python -m prepare.got10k --source GOT-10k/train MASKS --root data/got10k

GOT-10k itself has boxes, no masks: MASKS are those of GeoMotion's authors or your own, one image per frame, in
MASKS/SEQUENCE or MASKS/SEQUENCE/masks, named like the frames. Sequences without masks are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import got10k
from motion4d.layouts.folders import folder_names, paired
from prepare.command import run
from prepare.dataset import Dataset, Files, Job, find_root

LICENCE = "GOT-10k is for non-commercial research; the terms stand on its web page."
ORIGIN = "http://got-10k.aitestunion.com/downloads (registration); masks: ask at https://github.com/zjutcvg/GeoMotion"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence that has masks."""
    videos = find_root(sources, holds("*/*.jpg"), what="folder of GOT-10k sequences with frames (jpg)")
    masks = find_root(sources, holds("*/*.png", "*/masks/*.png"), what="folder of GOT-10k sequences with masks (png)")
    for name in folder_names(masks):
        yield Job(name, partial(_files, videos / name, mask_folder(masks / name), name))


def holds(*patterns: str) -> Callable[[Path], bool]:
    """A question to a folder: whether a file matches one of these patterns below it."""
    return lambda folder: any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def mask_folder(sequence: Path) -> Path:
    """Where the masks of a sequence lie: in its folder `masks`, or in itself."""
    return sequence / "masks" if (sequence / "masks").is_dir() else sequence


def _files(images: Path, masks: Path, name: str) -> Files:
    files = paired(name, images, masks, prepare="python -m prepare.got10k with complete sources", sparse=True)
    frames = {f"{name}/images/{image.name}": image for image in files.images}
    return {**frames, **{f"{name}/masks/{mask.name}": mask for mask in files.annotations.values()}}


DATASET = Dataset(
    name="got10k",
    title="GOT-10k train videos with motion masks",
    licence=LICENCE,
    origin=ORIGIN,
    version=1,
    root=Path("data/got10k"),
    jobs=jobs,
    names=got10k.names,
    sequence=got10k.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
