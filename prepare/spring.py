"""Spring, training part: python -m prepare.spring --source train_frame_left.zip train_disp1_left.zip train_cam_data.zip
... --root data/spring

The archives (or folders) of one or both eyes are put together and checked. Reading disparities needs h5py:
pip install -e .[hdf5]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import spring as layout
from motion4d.layouts.folders import folder_names
from prepare.command import run
from prepare.dataset import Dataset, Files, Job
from prepare.trees import find_splits, placed


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every sequence of every eye that has disparities."""
    parts = {eye: _part(sources, layout.disparities(eye)) for eye in layout.EYES}
    cameras = _part(sources, layout.CAMERAS)
    if cameras is None or not any(parts.values()):
        lacking = layout.CAMERAS if cameras is None else " or ".join(map(layout.disparities, layout.EYES))
        looked = ", ".join(str(source) for source in sources)
        raise ValueError(f"there is no {layout.TRAINING}/SEQUENCE/{lacking} of Spring in {looked}")
    for eye, disparities in parts.items():
        if disparities is not None:
            images = _part(sources, layout.frames(eye)) or disparities
            for name in folder_names(disparities):
                yield Job(f"{name}/{eye}", partial(_files, images, disparities, cameras, name, eye))


def _part(sources: Sequence[Path], part: str) -> Path | None:
    """The folder of sequences that have this part: archives may have been unpacked side by side."""
    try:
        what = f"part {part} of Spring"
        return find_splits(sources, [layout.TRAINING], f"*/{part}", what=what)[layout.TRAINING]
    except ValueError:
        return None


def _files(images: Path, disparities: Path, cameras: Path, name: str, eye: str) -> Files:
    target = f"{layout.TRAINING}/{name}"
    return {
        **placed(images / name, target, f"{layout.frames(eye)}/*.png"),
        **placed(disparities / name, target, f"{layout.disparities(eye)}/*.dsp5"),
        **placed(cameras / name, target, f"{layout.CAMERAS}/*.txt"),
    }


DATASET = Dataset(
    name="spring",
    title="Spring",
    licence="CC BY 4.0.",
    origin="https://spring-benchmark.org (links to the archives)",
    version=1,
    root=Path("data/spring"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
