"""Procedures of the depth and trajectory metrics of PAGE-4D (reference/page4d/cases.md)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from motion4d.io.tum_files import pose_matrices
from motion4d.metrics.camera_trajectories import TrajectoryScores
from motion4d.metrics.depth import DepthScores
from motion4d.metrics.depth_alignment import ALIGNMENTS
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.metrics.pose_protocols import PoseProtocol, Trajectory
from tests.reference.manifest import Case

Outputs = dict[str, Any]


def _protocol(params: dict[str, Any], **settings: Any) -> DepthProtocol:
    """Both tools align scale and shift by lad2; that for videos makes predictions nonnegative first."""
    shifted = params["alignment"] == "scale&shift"
    return DepthProtocol(
        "case",
        "",
        alignment=ALIGNMENTS["lad2" if shifted else params["alignment"]],
        max_depth=params["max_depth"],
        pre_clip=(0.0 if shifted and params["tool"] == "video" else None, None),
        post_clip=(None, params["post_clip_max"]),
        **settings,
    )


def _outputs(scores: DepthScores) -> Outputs:
    return asdict(scores) | {"delta_0": 0.0}  # a ratio of at least 1 is never below 1


def depth_metrics(case: Case) -> Outputs:
    """All frames together."""
    inputs = case.inputs
    (scores,) = _protocol(case.params).score(inputs["pred"], inputs["gt"])
    return _outputs(scores)


def depth_metrics_per_frame(case: Case) -> Outputs:
    """Every frame alone, and their average."""
    inputs, protocol = case.inputs, _protocol(case.params, per_frame=True)
    scores = protocol.score(inputs["pred"], inputs["gt"])
    frames = [_outputs(one) for one in scores]
    average = {f"average_{name}": value for name, value in _outputs(protocol.average(scores)).items()}
    return {name: np.array([frame[name] for frame in frames]) for name in frames[0]} | average


def depth_metrics_sequences(case: Case) -> Outputs:
    """The average over two sequences."""
    inputs, protocol = case.inputs, _protocol(case.params)
    scores = [one for k in (0, 1) for one in protocol.score(inputs[f"pred_{k}"], inputs[f"gt_{k}"])]
    return {f"average_{name}": value for name, value in _outputs(protocol.average(scores)).items()}


def trajectory_metrics(case: Case) -> Outputs:
    """Scalar-first rows, matched by index or time."""
    inputs, params = case.inputs, case.params
    order = [params["columns"].index(name) for name in ("x", "y", "z", "qx", "qy", "qz", "qw")]
    prediction, truth = (
        Trajectory(pose_matrices(inputs[name][:, order]), inputs[f"{name}_stamps"]) for name in ("pred", "gt")
    )
    assert (params["alignment"], params["rpe_delta"]) == ("sim3", 1)
    scores = PoseProtocol("case", "", max_difference=params["max_time_difference"]).score(prediction, truth)
    return trajectory_outputs(scores) | {
        "rounded": [round(value, params["file_decimals"]) for value in scores.row.values()]
    }


def trajectory_outputs(scores: TrajectoryScores) -> Outputs:
    """By the names of the cases."""
    return asdict(scores)


PROCEDURES = {
    "depth_metrics": depth_metrics,
    "depth_metrics_per_frame": depth_metrics_per_frame,
    "depth_metrics_sequences": depth_metrics_sequences,
    "trajectory_metrics": trajectory_metrics,
}
