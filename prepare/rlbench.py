"""Recorded RLBench episodes: python -m prepare.rlbench --source FOLDER_OF_TASKS --root data/rlbench

Read as recorded (motion4d.layouts.rlbench): images, depth and the task's cameras are placed and checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from motion4d.layouts import rlbench as layout
from prepare.command import run
from prepare.dataset import Dataset, Files, Job, find_root
from prepare.trees import placed


def jobs(sources: Sequence[Path], options: argparse.Namespace) -> Iterator[Job]:
    """Every episode and camera."""
    what = f"folder of tasks (TASK/{layout.PARAMETERS} and TASK/EPISODE/{layout.frames('front')})"
    tasks = find_root(sources, lambda folder: any(folder.glob(f"*/{layout.PARAMETERS}")), what=what)
    for name in layout.names(tasks):
        yield Job(name, partial(_files, tasks, name))


def _files(tasks: Path, name: str) -> Files:
    task, episode, camera = name.split("/")
    parts = (f"{layout.frames(camera)}/*.jpg", f"{layout.depths(camera)}/*.npz")
    return {
        **placed(tasks / task, task, layout.PARAMETERS),
        **placed(tasks / task / episode, f"{task}/{episode}", *parts),
    }


DATASET = Dataset(
    name="rlbench",
    title="RLBench episodes",
    licence="RLBench's own licence, for non-commercial research.",
    origin="https://github.com/stepjam/RLBench (record episodes with it)",
    version=1,
    root=Path("data/rlbench"),
    jobs=jobs,
    names=layout.names,
    sequence=layout.sequence_files,
)

main = partial(run, DATASET)

if __name__ == "__main__":
    sys.exit(main())
