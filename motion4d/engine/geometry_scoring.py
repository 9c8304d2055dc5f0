"""Scores of predicted cameras and depth against exact truth, in one row per sequence.

Depth: by a protocol (motion4d.metrics.depth_protocols). Cameras: ATE after a similarity alignment, and RPE
(motion4d.metrics.camera_trajectories). A camera that stands still leaves no trajectory to align, and a scale of 0 would
excuse everything: of it, `drift` says how far the predicted one strays (RMS around its mean, in the truth's unit by the
scale of the depth).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motion4d.engine.geometry_prediction import PredictedGeometry
from motion4d.engine.scoring import Figures
from motion4d.metrics.camera_trajectories import COLUMNS as POSE_COLUMNS
from motion4d.metrics.camera_trajectories import checked_poses, root_mean_square, trajectory_scores
from motion4d.metrics.depth import COLUMNS as DEPTH_COLUMNS
from motion4d.metrics.depth_protocols import DepthProtocol

GEOMETRY_FIGURES = Figures(
    (*DEPTH_COLUMNS, *POSE_COLUMNS, "drift"),
    main=("AbsRel", "delta1", "ATE", "RPE trans", "RPE rot", "drift"),
    protocol="",
    note="RPE rot in degrees; drift: how far the predicted camera strays where the true one stands still",
)
_STILL = 1e-6  # movement of a camera that stands still, as a part of the scene's depth


def score_sequence(
    predicted: PredictedGeometry,
    protocol: DepthProtocol,
    *,
    depth: NDArray[np.floating] | None,
    camera_to_world: NDArray[np.floating] | None,
) -> dict[str, Any]:
    """A row of one sequence: depth [N, H, W] (0 where there is none) and camera_to_world [N, 4, 4] are the truth.

    What has no truth is not in the row; a ValueError if there is none at all.
    """
    if depth is None and camera_to_world is None:
        raise ValueError("the sequence has neither depth nor cameras to compare with")
    row: dict[str, Any] = {"frames": len(predicted.depth)}
    if depth is not None:
        scores = protocol.average(protocol.score(predicted.depth, depth))
        row |= scores.row if scores.valid_pixels else {}
    if camera_to_world is not None:
        truth = checked_poses(camera_to_world, "the true trajectory")
        poses = checked_poses(predicted.camera_to_world, "the predicted trajectory")
        row |= _camera_row(poses, truth, predicted, depth)
    return row


def _camera_row(
    poses: NDArray[np.float64],
    truth: NDArray[np.float64],
    predicted: PredictedGeometry,
    depth: NDArray[np.floating] | None,
) -> dict[str, float]:
    scores = trajectory_scores(poses, truth).row
    unit = 1.0 if depth is None or not (depth > 0).any() else float(np.median(depth[depth > 0]))
    if _spread(truth) > _STILL * unit:
        return scores
    known = np.concatenate([one[one > 0] for one in predicted.depth])
    drift = _spread(poses) * unit / float(np.median(known)) if known.size else _spread(poses)
    return {"RPE rot": scores["RPE rot"], "drift": drift}


def _spread(poses: NDArray[np.float64]) -> float:
    """RMS distance of camera centres from their mean."""
    centres = poses[:, :3, 3]
    return root_mean_square(np.linalg.norm(centres - centres.mean(0), axis=-1))
