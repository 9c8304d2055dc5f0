"""The data sets whose depth and cameras the command lines know by name: how their truth lies on disk. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.depth_maps import DepthMap
from motion4d.layouts.bonn import bonn
from motion4d.layouts.dycheck import dycheck
from motion4d.layouts.folders import PUBLISHED
from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.kitti_depth import kitti_depth
from motion4d.layouts.nyu_depth import nyu_depth
from motion4d.layouts.scannet import scannet
from motion4d.layouts.sintel import sintel, sintel_depth
from motion4d.layouts.tum_dynamics import tum_dynamics
from motion4d.metrics.pose_protocols import Trajectory

Layout = Callable[[Path, str | Sequence[str]], list[GeometryFiles]]


def _nyu(root: Path, sequences: str | Sequence[str]) -> list[GeometryFiles]:
    return nyu_depth(root)  # it is one set of images


DATASETS: Mapping[str, Layout] = {
    "sintel": sintel,
    "sintel_depth": sintel_depth,
    "bonn": bonn,
    "bonn_corrected": partial(bonn, corrected=True),
    "tum_dynamics": tum_dynamics,
    "dycheck": partial(dycheck, every=10),
    "dycheck_depth": partial(dycheck, limit=120),
    "kitti_depth": kitti_depth,
    "nyu_depth": _nyu,
    "scannet": scannet,
}


def true_depth(name: str, root: Path, sequences: Sequence[str] | None = None) -> dict[str, list[DepthMap]]:
    """Sequence -> its true depth; a ValueError if the data set has none. Errors of the layout besides.

    sequences: names, ["all"] for all that are there, None for the published ones.
    """
    found = {}
    for files in _files(name, root, sequences):
        if files.depth is None:
            raise ValueError(f"{name} has no depth to compare with ({files.name})")
        found[files.name] = [DepthMap(stem, partial(files.depth, k)) for k, stem in enumerate(files.stems)]
    return found


def true_trajectories(
    name: str, root: Path, sequences: Sequence[str] | None = None
) -> dict[str, Callable[[], Trajectory]]:
    """Sequence -> what reads its true trajectory; a data set without cameras is a ValueError when that is called."""
    return {files.name: partial(_trajectory, files) for files in _files(name, root, sequences)}


def _files(name: str, root: Path, sequences: Sequence[str] | None) -> list[GeometryFiles]:
    chosen = PUBLISHED if sequences is None else "all" if list(sequences) == ["all"] else sequences
    return DATASETS[name](root, chosen)


def _trajectory(files: GeometryFiles) -> Trajectory:
    poses = files.cameras().camera_to_world
    if poses is None:
        raise ValueError("the data set has no cameras to compare with")
    return Trajectory(poses, np.array(files.timestamps or range(len(poses)), np.float64))
