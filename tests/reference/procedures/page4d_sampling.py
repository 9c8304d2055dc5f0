"""Procedures of the PAGE-4D cases about training samples (reference/page4d/cases.md says what each kind computes)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from motion4d.data.depth_limits import DepthLimits
from motion4d.data.dynamic_batches import image_size
from motion4d.data.frame_windows import frame_window
from motion4d.data.training_views import LEAST_DEPTH
from motion4d.data.view import PUBLISHED_CENTRE, View, shaped
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points, unproject
from motion4d.layouts import dynamic_replica_geometry, kubric
from tests.reference.manifest import Case
from tests.reference.procedures import page4d_bench

Outputs = dict[str, Any]


def process_image(case: Case) -> Outputs:
    """One sample; tracks move by what happens to the intrinsics."""
    params, inputs = case.params, {name: np.asarray(value) for name, value in case.inputs.items()}
    before = inputs["intrinsics"].astype(np.float64)
    depth = (inputs["depth"] * inputs["valid"]).astype(np.float32)
    height, width = params["target_shape"]
    after = shaped(
        View(inputs["image"], before, depth),
        (height, width),
        margin=params["safe_bound"] if params["rescale_aug"] else 0,
        sparse=params["splat"],
        centre=PUBLISHED_CENTRE,
    )
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = torch.from_numpy(inputs["extrinsics"])
    camera_points = unproject(torch.from_numpy(after.depth).double(), torch.from_numpy(after.intrinsics))
    moved = after.intrinsics @ np.linalg.inv(before)
    track = inputs["track"] @ moved[:2, :2].T + moved[:2, 2]
    return {
        "image": after.image,
        "depth": after.depth,
        "intrinsics": after.intrinsics,
        "extrinsics": inputs["extrinsics"],
        "world_points": transform_points(se3_inverse(pose), camera_points).numpy(),
        "mask": (after.depth > LEAST_DEPTH).astype(np.float32),
        "track": track,
        "track_mask": ((track >= 0) & (track < (width, height))).all(-1).astype(np.float32),
    }


def threshold_depth(case: Case) -> Outputs:
    """Limits of believed depth; values <= 0 switch one off."""
    limits = (case.params[name] for name in ("max_percentile", "min_percentile", "max_depth"))
    return {"depth": DepthLimits(*(limit if limit > 0 else None for limit in limits))(np.asarray(case.inputs["depth"]))}


def target_shape(case: Case) -> Outputs:
    """Image sizes of dynamic batches."""
    settings = case.params["settings"]
    return {"shapes": np.array([image_size(width, aspect, case.params["patch_size"]) for width, aspect in settings])}


def window(case: Case) -> Outputs:
    """Frames around a base pair."""
    first, second = case.params["base"]
    frames, full = frame_window(range(*case.params["range"]), (first, second), case.params["length"])
    return {"frames": np.array(frames), "full": np.array(full)}


def dataset_camera(case: Case) -> Outputs:
    """World -> camera of the training sets; the others are evaluation data."""
    inputs, dataset = case.inputs, case.params["dataset"]
    if dataset == "kubric":
        poses = kubric.camera_to_world([inputs["position"]], [inputs["quaternion_wxyz"]])
        return {"w2c": np.linalg.inv(poses[0])}
    if dataset == "dynamic_replica":
        return {"w2c": dynamic_replica_geometry.world_to_camera(inputs["R"], inputs["T"])}
    return page4d_bench.dataset_camera(case)


def dataset_intrinsics(case: Case) -> Outputs:
    """Intrinsics of the training sets."""
    height, width = case.params["image_size"]
    if case.params["dataset"] == "kubric":
        return {"intrinsics": kubric.intrinsics(case.params["field_of_view"], (height, width))}
    return {"intrinsics": dynamic_replica_geometry.intrinsics_from_ndc(case.params, (height, width))}


PROCEDURES = {
    "process_image": process_image,
    "threshold_depth": threshold_depth,
    "target_shape": target_shape,
    "frame_window": window,
    "dataset_camera": dataset_camera,
    "dataset_intrinsics": dataset_intrinsics,
}
