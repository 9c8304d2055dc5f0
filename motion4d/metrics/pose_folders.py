"""Scoring camera trajectories: truth and predictions by sequence -> tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from motion4d.metrics.camera_trajectories import COLUMNS
from motion4d.metrics.folders import FolderScores
from motion4d.metrics.pose_protocols import PoseProtocol, Trajectory

Trajectories = Mapping[str, Callable[[], Trajectory]]  # sequence -> what reads it


def score_pose_folder(protocol: PoseProtocol, truths: Trajectories, predictions: Trajectories) -> FolderScores:
    """Score every sequence that has truth; see motion4d.metrics.folders for what comes back.

    A sequence whose prediction is missing or does not fit is in `failures`, not in the numbers.
    """
    rows, failures = [], {}
    for name, truth in truths.items():
        try:
            if name not in predictions:
                raise ValueError("there is no prediction")
            found, true = predictions[name](), truth()
            scores = protocol.score(found, true)
            frames = len(protocol.matched(found, true)[0])
        except (OSError, ValueError) as error:
            failures[name] = str(error)
            continue
        rows.append({"sequence": name, "object": None, "frames": frames, **scores.row})
    means = {column: float(np.mean([row[column] for row in rows])) for column in COLUMNS} if rows else {}
    poolings = {"over sequences": means} if rows else {}
    return FolderScores(protocol.name, protocol.about, COLUMNS, rows, [], poolings, failures)
