"""Procedures of the depth and trajectory metrics of MonST3R (reference/monst3r/cases.md)."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from motion4d.metrics.depth import valid_pixels
from motion4d.metrics.depth_alignment import ALIGNMENTS, Alignment, adam_scale_shift
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.metrics.pose_protocols import SIM3, Trajectory
from tests.reference.manifest import Case
from tests.reference.procedures.monst3r_alignment import scene_of

Outputs = dict[str, Any]


def depth_metrics(case: Case) -> Outputs:
    """A known scene, scaled and noisy, all frames together."""
    inputs, params = case.inputs, case.params
    depth = scene_of(case).depth
    truth = np.where(inputs["valid"] > 0, (params["gt_scale"] * depth).astype(np.float32), 0)
    noisy = params["pred_scale"] * depth * (1 + inputs["noise"]) + params["pred_shift"]
    protocol = DepthProtocol(
        "case",
        "",
        alignment=_alignment(params),
        max_depth=params["max_depth"],
        pre_clip=(params["pre_clip_min"], params["pre_clip_max"]),
        post_clip=(None, params["post_clip_max"]),
    )
    pairs = [protocol.values(*pair) for pair in zip(noisy.astype(np.float32), truth, strict=True)]
    prediction, valid_truth = (np.concatenate(values) for values in zip(*pairs, strict=True))
    chosen = None
    if params["use_custom_mask"]:
        chosen = inputs["custom_mask"][valid_pixels(truth, params["max_depth"])] > 0
    return asdict(protocol.score_values(prediction, valid_truth, chosen))


def trajectory_metrics(case: Case) -> Outputs:
    """Matrices of equal number."""
    poses = [case.inputs[name].reshape(-1, 4, 4) for name in ("estimate", "truth")]
    prediction, truth = (Trajectory(one, np.arange(len(one), dtype=float)) for one in poses)
    assert (case.params["alignment"], case.params["rpe_delta"]) == ("sim3", 1)
    return asdict(SIM3.score(prediction, truth))


def _alignment(params: dict[str, Any]) -> Alignment:
    chosen = ALIGNMENTS[params["alignment"]]
    if chosen is adam_scale_shift:
        return partial(chosen, rate=params["lr"], steps=params["max_iterations"])
    return chosen


PROCEDURES = {"depth_metrics": depth_metrics, "trajectory_metrics": trajectory_metrics}
