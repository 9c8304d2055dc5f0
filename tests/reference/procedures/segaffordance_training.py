"""The procedure of the SegAffordance cases on a training step (reference/segaffordance/cases.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor

from motion4d.losses.compose import WeightedSum
from motion4d.losses.parts import axis, geometry, masks, points, trajectory
from motion4d.models.affordance.decoder import Decoder
from motion4d.models.affordance.projector import Projector
from motion4d.part import PartMotion, PartQuery
from tests.reference.manifest import Case
from tests.reference.procedures.segaffordance_network import loaded, outputs_of, query_of

Outputs = dict[str, Any]


def losses(case: Case) -> WeightedSum:
    """The loss of a case, its terms under upstream's names."""
    said = case.params["loss"]
    heads = case.params["model"]
    terms: dict[str, Any] = {
        "L_mask": (
            partial(masks.mask, bce_weight=said["bce_weight"], dice_weight=said["dice_weight"]),
            said["mask_weight"],
        ),
        "L_point_map": (partial(masks.point_map, sigma=said["point_sigma"]), said["point_map_weight"]),
        "L_coord": (points.coord, said["coord_weight"]),
        "L_motion_recon": (partial(axis.axis, signed=not said["axis_sign_agnostic"]), said["vae_weight"]),
        "L_kld": (axis.kl, said["vae_weight"] * said["vae_beta"]),
        "L_motion_type": (axis.kind, said["motion_type_weight"]),
    }
    normalised = said["trajectory_loss_normalized"]
    terms["L_trajectory"] = (trajectory.normalised if normalised else trajectory.trajectory, said["trajectory_weight"])
    if normalised:
        # summed over coordinates, and only logged
        terms["L_trajectory_m2"] = (lambda *given: 3 * trajectory.trajectory(*given), 0.0)
    for name in ("velocity", "angle", "length"):
        if said[f"trajectory_{name}_weight"]:
            terms[f"L_traj_{name}"] = (getattr(trajectory, name), said[f"trajectory_{name}_weight"])
    terms |= _geometric(said)
    if heads["use_origin_heatmap"]:
        terms["L_point_3d"] = (points.point_3d, said["point_3d_weight"])
        terms["L_origin"] = (points.origin, said["origin_weight"])
        terms["L_origin_map"] = (partial(points.origin_map, sigma=said["point_sigma"]), said["origin_map_weight"])
    return WeightedSum(
        {name: term for name, (term, _) in terms.items()}, {name: weight for name, (_, weight) in terms.items()}
    )


def _geometric(said: dict[str, Any]) -> dict[str, Any]:
    match said["geometric_loss"]:
        case "cross_gt":
            return {
                "L_geometric_pred_vector_gt_traj": (geometry.axis_of_true_trajectory, said["geometric_weight"]),
                "L_geometric_pred_traj_gt_vector": (
                    geometry.trajectory_about_true_axis,
                    said["trajectory_to_motion_weight"],
                ),
            }
        case "pred_pred":
            return {"L_geo_pred_pred": (geometry.energy_along_axis, said["pred_pred_weight"])}
        case "pred_pred_art":
            term = partial(
                geometry.line_or_circle,
                normalised=said["pred_pred_art_normalized"],
                least_radius=said["pred_pred_art_radius_floor"],
            )
            return {"L_geo_pred_pred_art": (term, said["pred_pred_art_weight"])}
    raise ValueError(said["geometric_loss"])


def query(case: Case) -> PartQuery:
    """The batch of a case with its truth."""
    made = query_of(case)
    given = {name: torch.as_tensor(value) for name, value in case.inputs.items() if name != "texts"}
    mask = torch.zeros(len(made), *made.size, dtype=torch.bool)
    for one, (x, y, w, h) in zip(mask, given["mask_boxes"].tolist(), strict=True):
        one[y : y + h, x : x + w] = True
    made.truth = PartMotion(
        mask=mask,
        point=given["point_gt"],
        axis=given["motion_gt"],
        kind=given["motion_type"],
        origin=given.get("motion_origin"),
        trajectory=given.get("trajectory"),
    )
    return made


@lru_cache(maxsize=1)
def _step(name: str) -> Callable[[Case], Outputs]:
    """Of the case `name`, which its scalars share: computed once."""
    kept: Outputs = {}

    def outputs(case: Case) -> Outputs:
        if not kept:
            kept.update(_computed(case))
        return kept

    return outputs


def train_step(case: Case) -> Outputs:
    """Forward, losses and backward; every gradient, its norm, every buffer and every loss under upstream's names."""
    return _step(case.name.removesuffix("_scalars"))(case)


def _computed(case: Case) -> Outputs:
    network = loaded(case, decoder=partial(Decoder, dropout=0.0), projector=partial(Projector, dropout=0.0)).train()
    noise = case.inputs.get("vae_eps")
    batch = query(case)
    said = network(batch, noise=None if noise is None else torch.as_tensor(noise))
    found = losses(case)(said, batch)
    found["total"].backward()
    outputs = outputs_of(said)
    recon, beta = found["L_motion_recon"], case.params["loss"]["vae_beta"]
    found["L_vae_total"] = recon + beta * found["L_kld"]
    outputs |= {f"loss.{'loss_total' if name == 'total' else name}": value for name, value in found.items()}
    outputs |= {f"buffer.{name}": value for name, value in network.named_buffers()}
    gradients = {name: one.grad for name, one in network.named_parameters() if one.grad is not None}
    outputs |= {f"grad.{name}": gradient.flatten() for name, gradient in gradients.items()}
    outputs |= {f"grad_norm.{name}": gradient.norm() for name, gradient in gradients.items()}
    outputs["total_grad_norm"] = torch.stack([one.norm() for one in gradients.values()]).norm()
    # upstream trains all but the token embedding, and counts CLIP's unused temperature, which ours freezes
    names = [name for name, _ in network.named_parameters() if not name.endswith("token_embedding.weight")]
    outputs["parameters_without_gradient"] = sorted(f"model.{name}" for name in names if name not in gradients)
    return {name: value.detach() if isinstance(value, Tensor) else value for name, value in outputs.items()}


PROCEDURES = {"train_step": train_step}
