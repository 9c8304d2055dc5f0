"""Procedures of the PAGE-4D cases on training: normalised truth, losses, learning rates."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.backbones.vggt_prediction import VGGTPrediction
from motion4d.engine.schedule import linear_then_cosine
from motion4d.geometry.pose_encoding import intrinsics_of, world_to_camera_of
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import unproject
from motion4d.losses import camera, dense, gradients
from motion4d.losses.geometry_truth import GeometryTruth, normalise
from motion4d.losses.quantile import threshold, without_largest
from motion4d.losses.tracks import track_losses
from tests.reference.manifest import Case

Outputs = dict[str, Any]
DISTANCES = {"l1": camera.mean_absolute, "l2": camera.euclidean}
GRADIENTS = {"grad": gradients.differences, "normal": gradients.normals}


def normalization(case: Case) -> Outputs:
    """The truth of a random scene in the first camera's frame, at scale 1."""
    truth, intrinsics = _truth(case)
    return {
        "extrinsics": truth.world_to_camera[..., :3, :].numpy(),
        "cam_points": unproject(truth.depth, intrinsics).numpy(),
        "world_points": truth.points_world.numpy(),
        "depths": truth.depth.numpy(),
    }


def losses(case: Case) -> Outputs:
    """Every term, and their weighted sum."""
    truth = _truth(case)[0]
    return {name: float(value) for name, value in _losses(case, truth, _prediction(case, truth)).items()}


def loss_gradients(case: Case) -> Outputs:
    """The gradient of the objective with respect to the predictions."""
    truth = _truth(case)[0]
    prediction = _prediction(case, truth)
    names = ("pose_encodings", "depth", "depth_confidence", "points_world", "points_confidence")
    leaves = [getattr(prediction, name).requires_grad_() for name in names]
    pose, depth, depth_conf, points, points_conf = torch.autograd.grad(
        _losses(case, truth, prediction)["objective"], leaves
    )
    outputs = {"pose_0": pose[0], "pose_3": pose[-1], "depth": depth.unsqueeze(-1), "depth_conf": depth_conf}
    outputs |= {"points": points, "points_conf": points_conf}
    return {name: value.numpy() for name, value in outputs.items()}


def quantile_filter(case: Case) -> Outputs:
    """What the filter keeps, and its limit."""
    values = torch.from_numpy(case.inputs["samples"]).abs()
    kept = without_largest(values, case.params["valid_range"])
    limit = threshold(values, case.params["valid_range"])
    return {"count": kept.numel(), "mean": float(kept.mean()), "threshold": float(limit)}


def track_losses_of(case: Case) -> Outputs:
    """The track head's losses of seeded tracks."""
    inputs = {name: torch.from_numpy(np.asarray(value)) for name, value in case.inputs.items()}
    params = case.params
    height, width = params["image_size"]
    true = inputs["gt_tracks"] * torch.tensor([width, height], dtype=torch.float32)
    visible = inputs["gt_visible"].bool()
    visible[:, 0, : params["visible_in_frame_0"]] = True
    stages = torch.stack([true + inputs[f"pred_track_offset_{i}"] for i in range(3)])
    found = track_losses(
        stages,
        inputs["pred_vis"],
        inputs["pred_conf"],
        true,
        visible,
        decay=params["stage_decay"],
        visibility_weight=params["vis_weight"],
        confidence_weight=params["conf_weight"],
        near_px=params["conf_threshold"],
    )
    return {
        "loss_coord_track": float(found.positions),
        "loss_vis_track": float(found.visibility),
        "loss_conf_track": float(found.confidence),
        "loss_track": float(found.total),
    }


def learning_rate(case: Case) -> Outputs:
    """A group's schedule."""
    params = case.params
    names = ("start", "peak", "end", "warm_up")
    rates = [linear_then_cosine(float(t), **{name: params[name] for name in names}) for t in case.inputs["progress"]]
    return {"lr": np.array(rates)}


def _truth(case: Case) -> tuple[GeometryTruth, Tensor]:
    """The normalised truth, and the intrinsics."""
    inputs = {name: torch.from_numpy(np.asarray(case.inputs[name])) for name in ("depth", "mask")}
    encoding = torch.cat(
        [torch.from_numpy(case.inputs[name]) for name in ("translation", "quaternion", "fov")], dim=-1
    ).float()
    height, width = case.params["image_size"]
    intrinsics = intrinsics_of(encoding, (height, width), centre=(width / 2, height / 2))
    camera_to_world = se3_inverse(world_to_camera_of(encoding))
    truth = normalise(camera_to_world, intrinsics, inputs["depth"], inputs["mask"].bool())
    for sequence, frame in case.params.get("clear_mask", []):
        truth.valid[sequence, frame] = False
    return truth, intrinsics


def _prediction(case: Case, truth: GeometryTruth) -> VGGTPrediction:
    inputs = {name: torch.from_numpy(np.asarray(case.inputs[name])) for name in case.inputs if name.startswith("pred")}
    prediction = VGGTPrediction(pose_encodings=torch.stack([inputs[f"pred_pose_{i}"] for i in range(4)]))
    if "pred_depth_offset" in inputs:
        prediction.depth = truth.depth + inputs["pred_depth_offset"].squeeze(-1)
        prediction.depth_confidence = inputs["pred_depth_conf"]
    if "pred_points_offset" in inputs:
        prediction.points_world = truth.points_world + inputs["pred_points_offset"]
        prediction.points_confidence = inputs["pred_points_conf"]
    return prediction


def _losses(case: Case, truth: GeometryTruth, prediction: VGGTPrediction) -> dict[str, Tensor]:
    """Term -> scalar. Abandoned parts of the truth are valid nowhere."""
    nowhere = dataclasses.replace(truth, valid=torch.zeros_like(truth.valid))
    outputs: dict[str, Tensor] = {}
    objective = torch.zeros(())
    for name, settings in case.params["losses"].items():
        abandoned = case.params["abandon_pose" if name == "camera" else "abandon_geometry"]
        terms = _camera_terms(settings) if name == "camera" else _dense_terms(name, settings)
        for term, (weight, function) in terms.items():
            outputs[term] = function(prediction, nowhere if abandoned else truth).mean()
            objective = objective + settings["weight"] * weight * outputs[term]
    if "camera" in case.params["losses"]:
        fov_weight = case.params["losses"]["camera"]["fov_weight"]
        outputs["loss_camera"] = outputs["loss_T"] + outputs["loss_R"] + fov_weight * outputs["loss_FL"]
    return outputs | {"objective": objective}


def _camera_terms(settings: dict[str, Any]) -> dict[str, Any]:
    options = {"distance": DISTANCES[settings["loss_type"]], "decay": settings["stage_decay"]}
    return {
        "loss_T": (1.0, partial(camera.translation, **options)),
        "loss_R": (1.0, partial(camera.rotation, **options)),
        "loss_FL": (settings["fov_weight"], partial(camera.field_of_view, **options)),
    }


def _dense_terms(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    of = dense.depth if name == "depth" else dense.points
    options = {"of": of, "valid_range": settings["valid_range"]}
    terms: dict[str, Any] = {
        f"loss_conf_{name}": (
            1.0,
            partial(dense.confidence, gamma=settings["gamma"], alpha=settings["alpha"], **options),
        ),
        f"loss_reg_{name}": (1.0, partial(dense.regression, **options)),
        f"loss_grad_{name}": (1.0, lambda prediction, truth: torch.zeros(())),
    }
    kind, _, weighted = settings["gradient"].partition("_")
    if kind:
        terms[f"loss_grad_{name}"] = (1.0, partial(GRADIENTS[kind], of=of, weighted=bool(weighted)))
    return terms


PROCEDURES = {
    "normalization": normalization,
    "losses": losses,
    "loss_gradients": loss_gradients,
    "quantile_filter": quantile_filter,
    "track_losses": track_losses_of,
    "learning_rate": learning_rate,
}
