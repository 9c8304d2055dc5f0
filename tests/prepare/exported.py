"""Procedural scenes in every layout, made once per test run, and the masks that they must give back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from motion4d.clip import Clip
from prepare import davis, davis_moving, fbms, procedural, segtrack
from prepare.command import run
from prepare.dataset import Dataset

DATASETS = {dataset.name: dataset for dataset in (d.DATASET for d in (davis, davis_moving, fbms, segtrack))}
CLIPS = ["--sequences", "2", "--frames", "7", "--data", "procedural_easy"]
ARGUMENTS = [*CLIPS, "--height", "32", "--width", "48"]


@cache
def truth() -> list[Clip]:
    """The clips that are exported."""
    return _scenes("davis", ARGUMENTS)


@cache
def truth_of_layout(name: str) -> list[Clip]:
    """The clips that are exported in a layout of depth and cameras, which may need scenes of its own."""
    layout = procedural.LAYOUTS[name]
    if not layout.has_own_scenes:
        return truth()
    return _scenes(name, CLIPS if layout.camera else ARGUMENTS)


def _scenes(name: str, arguments: Sequence[str]) -> list[Clip]:
    options = procedural._parser().parse_args(["--layout", name, "--root", "unused", *arguments])
    return list(procedural.scenes(options))


def export(name: str, folder: Path) -> list[str]:
    """Write what one downloads; returns the arguments of --source."""
    assert procedural.main(["--layout", name, "--root", str(folder), *ARGUMENTS]) == 0
    return [str(folder / source) for source in procedural.LAYOUTS[name].sources]


def prepare(dataset: Dataset, sources: Sequence[str | Path], root: Path, *more: str) -> int:
    """Run the command; returns its exit status."""
    return run(dataset, ["--source", *map(str, sources), "--root", str(root), "--partial", *more])
