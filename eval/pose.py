"""Score camera trajectories from anyone: python -m eval.pose --protocol sintel --truth T --predictions P.

A trajectory is a text file in TUM's form, `stamp tx ty tz qx qy qz qw` (camera to world), FOLDER/SEQUENCE.txt or
FOLDER/SEQUENCE/trajectory.txt; motion4d.layouts.trajectory_folders has every form. Instead of --truth, --dataset NAME
--root R reads a data set that python -m prepare.NAME has put there. A sequence that cannot be scored (other lengths
without common times, positions on one line) is reported and left out, the others are scored, and the exit status is 1.
Unusable folders give exit status 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eval.command import run
from eval.datasets import true_trajectories
from eval.geometry import chosen, parser, truth_of
from motion4d.io.tum_files import read_poses
from motion4d.layouts.trajectory_folders import trajectory_files
from motion4d.metrics.folders import FolderScores
from motion4d.metrics.pose_folders import score_pose_folder
from motion4d.metrics.pose_protocols import POSE_PROTOCOLS, Trajectory, pose_protocol_named


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names; returns the exit status."""
    return run("eval.pose", _parser().parse_args(arguments), _score)


def _score(options: argparse.Namespace) -> FolderScores:
    truths = truth_of(options, partial(_trajectories, scalar_first=options.truth_scalar_first), true_trajectories)
    predictions = _trajectories(options.predictions, scalar_first=options.scalar_first)
    names = chosen(truths, predictions, options)
    if len(truths) == len(predictions) == 1:
        predictions = dict(zip(truths, predictions.values(), strict=True))
    protocol = pose_protocol_named(options.protocol)
    if options.max_difference is not None:
        protocol = replace(protocol, max_difference=options.max_difference)
    return score_pose_folder(protocol, {name: truths[name] for name in names}, predictions)


def _trajectories(folder: Path, *, scalar_first: bool) -> dict[str, Callable[[], Trajectory]]:
    return {name: partial(_read, file, scalar_first) for name, file in trajectory_files(folder).items()}


def _read(file: Path, scalar_first: bool) -> Trajectory:
    stamps, poses = read_poses(file, scalar_first=scalar_first)
    back = np.flatnonzero(np.diff(stamps) < 0)
    if len(back):  # as many poses as in the truth would be compared by their place, whatever their stamps
        k = int(back[0]) + 1
        raise ValueError(f"{file}: pose {k} (counted from 0) is of an earlier time than the one before; sort the lines")
    return Trajectory(poses, stamps)


def _parser() -> argparse.ArgumentParser:
    about = {protocol.name: protocol.about for protocol in POSE_PROTOCOLS}
    made = parser("eval.pose", "Score camera trajectories from anyone.", about)
    made.add_argument("--scalar-first", action="store_true", help="predictions have qw qx qy qz (PAGE-4D, MonST3R)")
    made.add_argument("--truth-scalar-first", action="store_true", help="the truth has qw qx qy qz")
    made.add_argument("--max-difference", type=float, metavar="S", help="between time stamps that match; 0.01 s")
    return made


if __name__ == "__main__":
    sys.exit(main())
