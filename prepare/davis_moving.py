"""DAVIS2016-M and 2017-M as GeoMotion and OCLR mean them: the frames of DAVIS with OCLR's curated annotations.

python -m prepare.davis_moving --source CURATED DAVIS --root data/DAVIS2017-M/DAVIS

CURATED: OCLR's "DAVIS17-motion" annotations (SEQUENCE/00000.png below any folders); DAVIS: what was downloaded, or what
python -m prepare.davis left. SegAnyMo's "moving" sets need neither: they are sequences of DAVIS itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import davis, davis_lists
from motion4d.layouts.folders import folder_names, images_in, paired
from motion4d.layouts.sequence import SequenceFiles
from prepare.command import run
from prepare.dataset import Dataset, Facts, Files, Job, find_root
from prepare.davis import official_places, wrong_stems

COMMAND = "python -m prepare.davis_moving"


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every curated sequence, with its frames from whichever source has them."""
    curated = find_root(sources[:1], _holds_masks, what="folder of curated annotations (SEQUENCE/00000.png)")
    frames = find_root(sources, _holds_frames, what="DAVIS folder with JPEGImages/480p")
    for name in folder_names(curated):
        yield Job(name, partial(_files, davis.image_folder(frames), curated, name))


def _files(frames: Path, curated: Path, name: str) -> Files:
    files = paired(name, frames / name, curated / name, prepare=f"{COMMAND} with complete sources")
    return official_places(files)


def _holds_masks(folder: Path) -> bool:
    """Whether its folders hold PNG files."""
    first = folder_names(folder)[:1]
    return any(image.suffix.lower() == ".png" for name in first for image in images_in(folder / name))


def _holds_frames(folder: Path) -> bool:
    return bool(folder_names(folder / davis.IMAGES / davis.RESOLUTION))


def _check(files: SequenceFiles, facts: Facts) -> list[str]:
    return wrong_stems(files)


DATASET = Dataset(
    name="davis_moving",
    title="DAVIS2017-M",
    licence="that of DAVIS, and what OCLR says of its annotations.",
    origin="the annotations: the page of OCLR (https://github.com/Jyxarthur/OCLR_model); the frames: prepare.davis.",
    version=1,
    root=Path("data/DAVIS2017-M/DAVIS"),
    jobs=jobs,
    names=davis.names,
    sequence=partial(davis.sequence_files, prepare=COMMAND),
    published=lambda options: {name: frames for name, (frames, _) in davis_lists.VAL_2017_FRAMES_AND_OBJECTS.items()},
    check=_check,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
