"""Kubric's MOVi scenes: python -m prepare.kubric --source FOLDER_OF_SCENES --root data/kubric

Read as the renderer writes them: rgba, depth and metadata are placed and checked; the other layers are not. (The
published records of MOVi have to be unpacked into such folders first.)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import kubric as layout
from prepare.command import run
from prepare.dataset import Dataset, Job, find_all
from prepare.trees import placed


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every scene."""
    what = f"scene of Kubric ({layout.METADATA} beside {layout.IMAGES})"
    for name, folder in find_all(sources, _is_scene, what=what).items():
        yield Job(name, partial(placed, folder, name, layout.IMAGES, layout.DEPTH, layout.METADATA))


def _is_scene(folder: Path) -> bool:
    return (folder / layout.METADATA).is_file() and any(folder.glob(layout.IMAGES))


DATASET = Dataset(
    name="kubric",
    title="Kubric MOVi",
    licence="Apache-2.0 (generator); the assets have licences of their own.",
    origin="https://github.com/google-research/kubric/tree/main/challenges/movi (gs://kubric-public)",
    version=1,
    root=Path("data/kubric"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
