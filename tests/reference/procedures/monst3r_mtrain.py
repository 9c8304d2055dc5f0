"""Procedures of the MonST3R cases on training (reference/monst3r/cases.md): losses, scales, learning rate."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.backbones.pairs import PairPointmaps
from motion4d.engine.schedule import CosineInEpochs
from motion4d.geometry.poses import se3, se3_inverse
from motion4d.geometry.projection import transform_points
from motion4d.geometry.quaternions import rotation_from_quaternion
from motion4d.losses import pairs
from motion4d.losses.compose import WeightedSum
from motion4d.losses.pair_space import Space
from motion4d.losses.pair_truth import PairTruth
from motion4d.losses.point_scale import (
    by_mean,
    by_mean_log,
    by_median,
    by_root_mean,
    by_warped_mean,
    mean_fit,
    median_fit,
    weiszfeld_fit,
)
from tests.reference.manifest import Case

Outputs = dict[str, Any]
NORMS = {
    "avg_dis": by_mean,
    "avg_log1p": by_mean_log,
    "avg_warp-log1p": by_warped_mean,
    "median_dis": by_median,
    "sqrt_dis": by_root_mean,
}
INVARIANCES = {
    "Regr3D": {},
    "Regr3D_ShiftInv": {"shift_invariant": True},
    "Regr3D_ScaleInv": {"scale_invariant": True},
    "Regr3D_ScaleShiftInv": {"shift_invariant": True, "scale_invariant": True},
}
FITS = {"avg": mean_fit, "median": median_fit, "weiszfeld": weiszfeld_fit}


def loss(case: Case) -> Outputs:
    """The loss and what is logged beside it."""
    prediction, truth = _inputs(case)
    return {name: float(value) for name, value in _losses(case, prediction, truth).items()}


def loss_gradients(case: Case) -> Outputs:
    """The gradient of the loss with respect to the predictions."""
    prediction, truth = _inputs(case)
    names = ("points_first", "points_second", "confidence_first", "confidence_second")
    leaves = [getattr(prediction, name).requires_grad_() for name in names]
    gradients = torch.autograd.grad(_losses(case, prediction, truth)["loss"], leaves)
    outputs = ("grad_pts1", "grad_pts2", "grad_conf1", "grad_conf2")
    return {name: value.numpy() for name, value in zip(outputs, gradients, strict=True)}


def find_opt_scaling(case: Case) -> Outputs:
    """The scale of every pair by each of the fits."""
    prediction, truth = _inputs(case)
    predicted = torch.stack((prediction.points_first, prediction.points_second), dim=1)
    assert case.params["rounds"] == 10
    return {mode: FITS[mode](predicted, truth.points, truth.valid).numpy() for mode in case.params["modes"]}


def lr_schedule(case: Case) -> Outputs:
    """The learning rate at fractional epochs."""
    params = case.params
    schedule = CosineInEpochs(warmup=params["warmup_epochs"], final=params["min_lr"] / params["lr"])
    return {"lr": np.array([params["lr"] * schedule.at(epoch, params["epochs"]) for epoch in params["at"]])}


def _inputs(case: Case) -> tuple[PairPointmaps, PairTruth]:
    inputs = {name: torch.from_numpy(np.asarray(value)) for name, value in case.inputs.items()}
    first_to_world = _poses(case, inputs, 1)
    fields: dict[str, Tensor] = {}
    points, valid = [], []
    for view, name in ((1, "first"), (2, "second")):
        seen = torch.cat((inputs[f"points{view}_xy"], inputs[f"points{view}_z"]), dim=-1)
        fields[f"points_{name}"] = case.params["prediction_scale"] * seen + inputs[f"noise{view}"]
        fields[f"confidence_{name}"] = 1 + inputs[f"log_conf{view}"].exp()
        world = transform_points(first_to_world, seen)
        points.append(transform_points(se3_inverse(first_to_world), world))
        valid.append(inputs[f"valid{view}"].bool())
    return PairPointmaps(**fields), PairTruth(torch.stack(points, dim=1), torch.stack(valid, dim=1))


def _poses(case: Case, inputs: dict[str, Tensor], view: int) -> Tensor:
    batch = range(case.params["batch"])
    quaternions = torch.stack([inputs[f"pose{view}_{b}_q"] for b in batch]) * case.params["quaternion_scale"]
    rotations = rotation_from_quaternion(quaternions + torch.tensor([0.0, 0.0, 0.0, 1.0]))
    return se3(rotations, torch.stack([inputs[f"pose{view}_{b}_t"] for b in batch]))


def _losses(case: Case, prediction: PairPointmaps, truth: PairTruth) -> dict[str, Tensor]:
    criterion = case.params["criterion"]
    assert criterion["distance"] == "L21"
    name = criterion["regression"]
    space = Space(NORMS[criterion["norm_mode"]], true_scale=criterion["gt_scale"], **INVARIANCES[name])
    terms: dict[str, Any] = {
        f"{name}_pts3d_{image + 1}": partial(pairs.regression, image=image, space=space) for image in (0, 1)
    }
    weights = {}
    if criterion["conf_alpha"] is not None:
        weights = dict.fromkeys(terms, 0.0)
        for image, label in enumerate(("conf_loss_1", "conf_loss2")):
            terms[label] = partial(pairs.confidence, image=image, alpha=criterion["conf_alpha"], space=space)
    found = WeightedSum(terms, weights)(prediction, truth)
    return {"loss": found.pop("total"), **found}


PROCEDURES = {
    "loss": loss,
    "loss_gradients": loss_gradients,
    "find_opt_scaling": find_opt_scaling,
    "lr_schedule": lr_schedule,
}
