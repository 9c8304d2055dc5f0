"""PointOdyssey: python -m prepare.point_odyssey --source train.tar.gz val.tar.gz test.tar.gz --root data/point_odyssey

Read as downloaded: images, depth and cameras are placed and checked; what else a sequence has (masks, normals) is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import point_odyssey as layout
from motion4d.layouts.folders import folder_names
from prepare.command import run
from prepare.dataset import Dataset, Job
from prepare.trees import find_splits, placed

PARTS = (f"{layout.IMAGES}/*.jpg", f"{layout.DEPTH}/*.png", layout.CAMERAS)


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of every split that is there."""
    what = f"split of PointOdyssey (train/SEQUENCE/{layout.IMAGES})"
    for split, folder in find_splits(sources, layout.SPLITS, f"*/{layout.IMAGES}", what=what).items():
        for name in folder_names(folder):
            if (folder / name / layout.IMAGES).is_dir():
                yield Job(f"{split}/{name}", partial(placed, folder / name, f"{split}/{name}", *PARTS))


DATASET = Dataset(
    name="point_odyssey",
    title="PointOdyssey",
    licence="CC BY-NC-SA 4.0, for non-commercial use.",
    origin="https://pointodyssey.com (links to the archives)",
    version=1,
    root=Path("data/point_odyssey"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
