"""Procedures of the SegAffordance cases on losses and their geometry (reference/segaffordance/cases.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from motion4d.geometry.lines import line_distance, perpendicular_foot, unit
from motion4d.geometry.twists import orbit, screw_of, squared_difference, twist_about
from motion4d.geometry.unit_images import lift, project_in_front, unit_intrinsics
from motion4d.losses.compose import WeightedSum
from motion4d.losses.parts import axis, geometry, masks, points, projected, screw, tracks, trajectory
from motion4d.losses.parts.twist import TwistHypotheses
from motion4d.part import PartMotion, PartPrediction, PartQuery
from tests.reference.manifest import Case

Outputs = dict[str, Any]
BATCH = 6


def gaussian_map(case: Case) -> Outputs:
    """The heatmap of points."""
    made = masks.gaussian_map(_tensors(case)["points"], tuple(case.params["size"]), sigma=case.params["sigma"])
    return {"map": made.unsqueeze(1)}


def loss(case: Case) -> Outputs:
    """One term, or the geometry that it stands on."""
    return LOSSES[case.params["loss"]](case)


def _dice_bce(case: Case) -> Outputs:
    return _one(case, masks.mask, "bce_weight", "dice_weight", "smooth")


def _soft_argmax(logits: Tensor) -> Tensor:
    """As the network does it: an expected (column, row), by (width, height)."""
    height, width = logits.shape[-2:]
    p = logits.flatten(-2).softmax(dim=-1).view_as(logits)
    x = (p.sum(-2) * torch.arange(width)).sum(-1) / width
    return torch.stack((x, (p.sum(-1) * torch.arange(height)).sum(-1) / height), dim=-1)


def _vae(case: Case) -> Outputs:
    prediction, query = _nouns(case)
    terms = {"axis": axis.axis, "kl": axis.kl}
    made = WeightedSum(terms, {"kl": case.params["beta"]})(prediction, query)
    return {"terms": [made["total"], made["axis"], made["kl"]]}


def _axis(case: Case) -> Outputs:
    return {"loss": axis.axis(*_nouns(case), signed=not case.params["sign_agnostic"]).mean()}


def _trajectory(case: Case) -> Outputs:
    if case.params["normalized"]:
        return _one(case, trajectory.normalised, "floor")
    return _one(case, trajectory.trajectory)


def _fdiff_angle(case: Case) -> Outputs:
    return {"loss": trajectory.angle(*_nouns(case), shortest=case.params["segment_threshold"])}


def _cross_gt(case: Case) -> Outputs:
    prediction, query = _nouns(case)
    plane = case.params["plane_term"]
    return {
        "L_geometric_pred_vector_gt_traj": geometry.axis_of_true_trajectory(prediction, query, plane_term=plane).mean(),
        "L_geometric_pred_traj_gt_vector": geometry.trajectory_about_true_axis(
            prediction, query, plane_term=plane
        ).mean(),
    }


def _pred_pred(case: Case) -> Outputs:
    assert case.params["energy_floor"] == geometry.LEAST_ENERGY
    return {"L_geo_pred_pred": geometry.energy_along_axis(*_nouns(case))}


def _pred_pred_art(case: Case) -> Outputs:
    params = case.params
    settings = {"normalised": params["normalized"], "least_radius": params["radius_floor"]}
    return {"L_geo_pred_pred_art": geometry.line_or_circle(*_nouns(case), absolute=params["absolute"], **settings)}


def _q_star(case: Case) -> Outputs:
    given = _tensors(case)
    foot = perpendicular_foot(given["trajectory"][:, 0], given["motion_origin"], unit(given["motion_gt"]))
    if "camera_intrinsic" not in given:
        return {"result": foot}
    seen = points.project_q_star(foot, _camera(given))
    return {"uv": seen.uv, "valid": seen.valid}


def _project(case: Case) -> Outputs:
    given, (start, stop) = _tensors(case), case.params["points"]
    return {"result": project_in_front(given["trajectory"][:, start:stop], _camera(given))}


def _backproject(case: Case) -> Outputs:
    given = _tensors(case)
    return {"result": lift(given["point_uv"], given["origin_depth"], _camera(given))}


def _projected(case: Case) -> Outputs:
    params = case.params
    assert (params["arc_samples"], params["near_plane"]) == (projected.SAMPLES, 0.05)
    prediction, query = _nouns(case)
    query.depth = _tensors(case)["anchor_depth"].view(-1, 1, 1).expand(BATCH, 24, 32)
    settings = {"radius_weight": params["radius_weight"], "radius_scale": params["radius_ref"]}
    return {"L_geo_projected": projected.projected(prediction, query, **settings)}


def _screw(case: Case) -> Outputs:
    prediction, query = _nouns(case)
    signed = not case.params["sign_agnostic"]
    return {
        "L_screw_twist_gt_traj": screw.TrueTrajectory(signed=signed)(prediction, query),
        "L_screw_self": screw.own_trajectory(prediction, query, signed=signed),
        "L_screw_track": screw.seen_track(prediction, query),
        "L_screw_omega": screw.turn_rate(prediction, query).mean(),
    }


def _traj_projection(case: Case) -> Outputs:
    prediction, query = _nouns(case)
    params = case.params
    detach = params["detach_anchor"]
    settings = {"normalised": params["normalized"], "floor": params["energy_floor"], "detach": detach}
    return {
        "L_traj_proj": tracks.projection(prediction, query, **settings),
        "L_proj_fdiff_vel": tracks.projected_velocity(prediction, query, detach=detach),
        "L_proj_fdiff_ang": tracks.projected_angle(prediction, query, detach=detach),
        "L_proj_fdiff_len": tracks.projected_length(prediction, query, detach=detach),
    }


def _true_twist(given: dict[str, Tensor]) -> Tensor:
    return twist_about(given["motion_gt"], given["motion_type"] == 1, given["motion_origin"])


def _decode_twist(case: Case) -> Outputs:
    said = screw_of(_tensors(case)["twist"], least_turn=case.params["rotation_threshold"])
    return {"is_rotation": said.turns, "direction": said.direction, "axis_point": said.point}


def _body_distance(case: Case) -> Outputs:
    given = _tensors(case)
    settings = {"anchor": given["trajectory"][:, 0], "radius": case.params["rho"]}
    return {"result": squared_difference(given["twist"], _true_twist(given), **settings)}


def _orbit(case: Case) -> Outputs:
    given = _tensors(case)
    return {"result": orbit(given["twist"], given["point_3d"], torch.tensor(case.params["parameters"]))}


def _line_distance(case: Case) -> Outputs:
    given = _tensors(case)
    return {"result": line_distance(given["point_3d"], given["motion_origin"], given["motion_gt"])}


def _twist(case: Case) -> Outputs:
    params = case.params
    term = TwistHypotheses(
        twist_weight=params["twist_weight"],
        trajectory_weight=params["trajectory_weight"],
        choice_weight=params["hypothesis_ce_weight"],
        radius=params["metric_rho"],
        signed=not params["sign_agnostic"],
        temperature=params["temperature"],
    )
    made = term.parts(*_nouns(case))
    names = {"total": made.total, "winner": made.winner, "L_twist": made.twist, "L_wta_traj": made.trajectory}
    return names | {"L_hyp_ce": made.choice}


def _one(case: Case, term: Callable[..., Tensor], *settings: str) -> Outputs:
    """The mean of a term whose settings have upstream's names."""
    return {"loss": term(*_nouns(case), **{name: case.params[name] for name in settings}).mean()}


def _nouns(case: Case) -> tuple[PartPrediction, PartQuery]:
    """The prediction and the query of a case, as far as its inputs go. One map suffices where a case has no mask."""
    given = _tensors(case)
    logits, intrinsics = given.get("mask_logits", torch.zeros(BATCH, 1, 1, 1)), given.get("camera_intrinsic")
    width, height = (int(value) for value in given.get("image_size", (32, 24)))
    split = [given[name] for name in ("motion_pred_trans", "motion_pred_rot") if name in given]
    heatmap = given.get("point_logits", torch.zeros(BATCH, 1, 1, 1)).squeeze(1)
    prediction = PartPrediction(
        mask_logits=logits.squeeze(1),
        point_logits=heatmap,
        point=given["point_uv"] if "point_uv" in given else _soft_argmax(heatmap),
        axis=given.get("motion_pred"),
        axis_by_kind=torch.stack(split, dim=1) if split else None,
        kind_logits=given.get("type_logits"),
        latent_mean=given.get("mu"),
        latent_log_variance=given.get("log_var"),
        trajectory=given.get("trajectory_pred"),
        point_3d=given.get("point_3d"),
        origin=given.get("origin_pred"),
        origin_depth=given.get("origin_depth"),
        twist=given.get("twist"),
        twist_hypotheses=given.get("twist_hyps"),
        trajectory_hypotheses=given.get("trajectory_hyps"),
        hypothesis_logits=given.get("twist_logits"),
    )
    truth = PartMotion(
        mask=given.get("mask_gt", torch.zeros(BATCH, 1, 1, 1)).squeeze(1),
        point=given.get("points"),
        axis=given.get("motion_gt"),
        kind=given.get("motion_type"),
        origin=given.get("motion_origin"),
        trajectory=given.get("trajectory"),
        track=given["track"] * torch.tensor([width, height]) if "track" in given else None,
        track_valid=given.get("track_valid"),
    )
    query = PartQuery(
        images=torch.zeros(1).expand(BATCH, 3, height, width),
        texts=("open it",) * BATCH,
        depth=given["depth"].squeeze(1) if "depth" in given else None,
        intrinsics=None if intrinsics is None else intrinsics.expand(BATCH, 3, 3),
        truth=truth,
    )
    return prediction, query


def _camera(given: dict[str, Tensor]) -> Tensor:
    width, height = given["image_size"].tolist()
    return unit_intrinsics(given["camera_intrinsic"], (height, width))


def _tensors(case: Case) -> dict[str, Tensor]:
    arrays = {name: torch.as_tensor(value) for name, value in case.inputs.items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in arrays.items()}


LOSSES: dict[str, Callable[[Case], Outputs]] = {
    "dice_bce": _dice_bce,
    "point_map_bce": lambda case: _one(case, masks.point_map, "sigma"),
    "soft_argmax_uv": lambda case: {"result": _soft_argmax(_tensors(case)["point_logits"].squeeze(1))},
    "coord_l1": lambda case: _one(case, points.coord),
    "vae": _vae,
    "axis": _axis,
    "type_ce": lambda case: _one(case, axis.kind, "label_smoothing"),
    "trajectory": _trajectory,
    "fdiff_velocity": lambda case: _one(case, trajectory.velocity),
    "fdiff_angle": _fdiff_angle,
    "fdiff_length": lambda case: _one(case, trajectory.length),
    "cross_gt": _cross_gt,
    "pred_pred": _pred_pred,
    "pred_pred_art": _pred_pred_art,
    "origin_canonical": lambda case: _one(case, points.origin),
    "perpendicular_foot": _q_star,
    "project_q_star": _q_star,
    "normalized_intrinsics": lambda case: {"result": _camera(_tensors(case))},
    "project_points": _project,
    "backproject_points": _backproject,
    "projected": _projected,
    "screw": _screw,
    "traj_projection": _traj_projection,
    "twist_from_gt": lambda case: {"result": _true_twist(_tensors(case))},
    "decode_twist": _decode_twist,
    "twist_body_distance": _body_distance,
    "screw_orbit": _orbit,
    "point_to_line_distance": _line_distance,
    "twist": _twist,
    "depth_anchor": lambda case: {"loss": points.depth_anchor(*_nouns(case), nearest=case.params["minimum_depth"])},
    "p_rev_balance": lambda case: _one(case, axis.rotation_balance, "target"),
}
PROCEDURES = {"loss": loss, "gaussian_map": gaussian_map}
