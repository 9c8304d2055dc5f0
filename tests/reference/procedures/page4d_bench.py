"""Procedures of the PAGE-4D cases about evaluation data (reference/page4d/cases.md says what each kind computes)."""

from __future__ import annotations

from typing import Any

import numpy as np

from motion4d.io.files import read_json
from motion4d.io.tum_files import parse_rows, pose_matrices
from motion4d.layouts import bonn
from prepare import tum
from tests.reference.manifest import Case, NotCovered

Outputs = dict[str, Any]


def tum_association(case: Case) -> Outputs:
    """All matches, their depth files, and the three prepared lists."""
    params = case.params
    assert params["max_depth_difference"] == tum.DEPTH_LIMIT
    lists = read_json(case.inputs["lists"])[params["lists_entry"]]
    images, depth, poses = (dict(parse_rows(lists[name], name)) for name in tum.LISTS)
    found = tum.associate(images, depth, poses, params["max_difference"])
    chosen = found[:: params["stride"]][: params["count"]]
    return {
        "matches": [[match.stamp, match.pose_stamp] for match in found],
        "depth_of_match": [match.depth for match in found],
        "rgb_90": [match.image for match in chosen],
        "groundtruth_90": [tum.groundtruth_line(match) for match in chosen],
        "depth_90": [match.depth for match in chosen],
    }


def dataset_camera(case: Case) -> Outputs:
    """World to camera of a row of groundtruth.txt."""
    dataset = case.params["dataset"]
    if dataset not in ("bonn", "tum"):
        raise NotCovered(f"the cameras of {dataset} are not among those of the evaluation data")
    poses = pose_matrices(np.asarray(case.inputs["row"])[None, 1:])
    if dataset == "bonn":
        assert np.array_equal(case.params["T_ros"], bonn.MOCAP_AXES)
        assert np.array_equal(case.params["T_m"], bonn.CAMERA_TO_MARKERS)
        poses = bonn.camera_poses(poses)
    return {"w2c": np.linalg.inv(poses[0])}


PROCEDURES = {"tum_association": tum_association, "dataset_camera": dataset_camera}
