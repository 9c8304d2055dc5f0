"""TartanAir: python -m prepare.tartanair --source SCENES... --root data/tartanair

SCENES are folders or archives that hold SCENE/Hard/P000/{image_left,depth_left,pose_left.txt}, together or apart. Read
as downloaded: what the left eye saw, its depth and its poses are placed and checked; all else is passed over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import tartanair as layout
from motion4d.layouts.folders import some
from prepare.command import run
from prepare.dataset import Content, Dataset, Files, Job, find_root
from prepare.trees import placed

PARTS = {
    layout.IMAGES: f"{layout.IMAGES}/*.png",
    layout.DEPTH: f"{layout.DEPTH}/*.npy",
    layout.POSES: layout.POSES,
}


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of the level that has images."""
    folders = {part: _sequences(sources, part, options.level) for part in PARTS}
    if not folders[layout.IMAGES]:
        raise ValueError(
            f"there is no SCENE/{options.level}/P000/{layout.IMAGES} of TartanAir in {some([str(s) for s in sources])}"
        )
    for name in sorted(folders[layout.IMAGES]):
        yield Job(name, partial(_files, name, {part: found.get(name) for part, found in folders.items()}))


def _sequences(sources: Sequence[Path], part: str, level: str) -> dict[str, Path]:
    """Name -> folder of the sequences that have this part, in whichever of the sources."""
    pattern = f"*/{level}/*/{part}"
    found: dict[str, Path] = {}
    for source in sources:
        try:
            root = find_root([source], lambda folder: any(folder.glob(pattern)), what=part)
        except ValueError:
            continue
        found |= {path.parent.relative_to(root).as_posix(): path.parent for path in root.glob(pattern)}
    return found


def _files(name: str, folders: dict[str, Path | None]) -> Files:
    lacking = [part for part, folder in folders.items() if folder is None]
    if lacking:
        raise ValueError(f"{name} has no {' and no '.join(lacking)}")
    files: dict[str, Content] = {}
    for part, folder in folders.items():
        assert folder is not None
        files |= placed(folder, name, PARTS[part])
    return files


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--level", choices=layout.LEVELS, default="Hard", help="of difficulty (default: %(default)s)")


DATASET = Dataset(
    name="tartanair",
    title="TartanAir",
    licence="CC BY 4.0.",
    origin="https://theairlab.org/tartanair-dataset (links to the archives)",
    version=1,
    root=Path("data/tartanair"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
    arguments=_arguments,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
