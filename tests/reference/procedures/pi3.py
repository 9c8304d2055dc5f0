"""Procedures of the Pi3 cases (reference/pi3/cases.md describes what each kind computes)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.backbones.pi3 import Pi3
from motion4d.backbones.pi3x import Pi3X
from motion4d.backbones.pi3x_priors import Priors
from motion4d.framing import FitPixels
from motion4d.geometry.alignment import umeyama
from motion4d.geometry.pointmap_filters import (
    depth_edge,
    depth_normal_edge,
    export_mask,
    normal_edge,
    points_to_normals,
)
from motion4d.geometry.poses import rotation_from_9, se3, se3_inverse
from motion4d.geometry.projection import intrinsics_from_rays, intrinsics_from_rays_free, transform_points
from motion4d.layers.rope import rotary_at
from motion4d.layers.vit import resize_position_embedding
from tests.reference.manifest import Case

Outputs = dict[str, Any]
HEADS = ("points", "pose", "confidence")


def build(config: dict[str, Any], network: type[Pi3] = Pi3, **changes: Any) -> Pi3:
    """The network that a case's `config` describes, on the meta device."""
    with torch.device("meta"):
        return network(
            dim=config["embed_dim"],
            encoder_depth=config["encoder_depth"],
            encoder_heads=config["encoder_heads"],
            encoder_registers=config["encoder_registers"],
            registers=config["register_tokens"],
            decoder_depth=config["decoder_depth"],
            decoder_heads=config["decoder_heads"],
            head_dim=config["head_dim"],
            head_depth=config["head_depth"],
            head_heads=config["head_heads"],
            pixel_dim=config["point_out_dim"],
            camera_dim=config["camera_out_dim"],
            mlp_ratio=config["mlp_ratio"],
            patch_size=config["patch_size"],
            position_grid=config["pos_embed_grid"],
            **changes,
        )


_last_network: dict[str, Pi3] = {}  # the full-size cases share one network of 4 GB


def network(case: Case) -> Pi3:
    """The case's network with its seeded weights, loaded strictly."""
    key = json.dumps([str(case.folder), case.params["config"], case.raw["weights"]], sort_keys=True)
    if key not in _last_network:
        _last_network.clear()
        model = build(case.params["config"], Pi3X if case.kind == "pi3x_forward" else Pi3).eval()
        state = {name: torch.from_numpy(value) for name, value in case.weights().items()}
        model.load_state_dict(state, strict=True, assign=True)
        _last_network[key] = model
    return _last_network[key]


@torch.no_grad()
def forward(case: Case) -> Outputs:
    """The published outputs, and the taps that the case names."""
    model, images = network(case), torch.from_numpy(case.inputs["images"])
    block_0: list[Tensor] = []
    hook = model.encoder.blocks[0].register_forward_hook(lambda _module, _inputs, output: block_0.append(output))
    named = [tap.removeprefix("tap.") for tap in case.params["taps"]]
    taps = {tap: tap for tap in named if tap in model.available_taps}
    said = model.predict(images, heads=HEADS, taps=(*taps, "encoder"))
    hook.remove()
    assert said.camera_to_common is not None
    assert said.points_camera is not None
    assert said.confidence_logits is not None
    rotation, translation = said.camera_to_common[..., :3, :3], said.camera_to_common[..., :3, 3]
    outputs = {
        "points": torch.einsum("bnij,bnhwj->bnhwi", rotation, said.points_camera) + translation[:, :, None, None],
        "local_points": said.points_camera,
        "conf": said.confidence_logits.unsqueeze(-1),
        "camera_poses": said.camera_to_common,
        "tap.encoder_block_0": block_0[0],
        "tap.encoder_tokens": said.tokens["encoder"][:, :, model.special_tokens :].flatten(0, 1),
    }
    outputs |= {f"tap.{tap}": said.tokens[tap].flatten(0, 1) for tap in taps}
    return _numpy(outputs)


@torch.no_grad()
def pi3x_forward(case: Case) -> Outputs:
    """Pi3X with the conditions that the case names."""
    model, given = network(case), {name: torch.from_numpy(value) for name, value in case.inputs.items()}
    assert isinstance(model, Pi3X)
    conditions = set(case.params["conditions"])
    priors = Priors(
        depth=given["depths"] * given["depth_valid"] if "depths" in conditions else None,
        intrinsics=_at_integer_centres(given["intrinsics"]) if "intrinsics" in conditions else None,
        camera_to_world=given["poses"] if "poses" in conditions else None,
        depth_known=given.get("mask_add_depth"),
        rays_known=given.get("mask_add_ray"),
        pose_known=given.get("mask_add_pose"),
    )
    said = model.predict(given["images"], heads=HEADS, priors=priors if conditions else None)
    assert said.points_camera is not None
    assert said.confidence_logits is not None
    assert said.camera_to_common is not None
    assert said.metric is not None
    return _numpy(
        {
            "points": transform_points(said.camera_to_common, said.points_camera),
            "local_points": said.points_camera,
            "rays": torch.nn.functional.normalize(said.points_camera, dim=-1),
            "conf": said.confidence_logits.unsqueeze(-1),
            "camera_poses": said.camera_to_common,
            "metric": said.metric,
        }
    )


def _at_integer_centres(intrinsics: Tensor) -> Tensor:
    """Intrinsics for pixel centres at u + 0.5, as published, for pixel centres at u."""
    moved = intrinsics.clone()
    moved[..., :2, 2] -= 0.5
    return moved


def point_filters(case: Case) -> Outputs:
    """Confidence mask, depth edges, normals, normal edges, and the export filter."""
    points, logits = (torch.from_numpy(case.inputs[name]) for name in ("local_points", "conf_logit"))
    params = case.params
    depth, confidence = points[..., 2], logits.sigmoid()
    sure = confidence > params["confidence_threshold"]
    relative = {"rtol": params["edge_rtol"], "kernel_size": params["edge_kernel"]}
    normals, known = points_to_normals(points, sure)
    return _numpy(
        {
            "mask_conf": sure,
            "depth_edge_rtol": depth_edge(depth, **relative, mask=sure),
            "depth_edge_rtol_nomask": depth_edge(depth, **relative),
            "depth_edge_atol_k5": depth_edge(
                depth, atol=params["edge_atol"], kernel_size=params["edge_atol_kernel"], mask=sure
            ),
            "normals": normals,
            "normal_mask": known,
            "normal_edge": normal_edge(
                normals,
                tolerance_degrees=params["normal_tolerance_degrees"],
                kernel_size=params["normal_kernel"],
                mask=known,
            ),
            "depth_normal_edge": depth_normal_edge(points, rtol=params["edge_rtol"], mask=sure),
            "keep": export_mask(
                points, confidence, min_confidence=params["confidence_threshold"], rtol=params["edge_rtol"]
            ),
        }
    )


def intrinsics(case: Case) -> Outputs:
    """Both variants, from unit rays."""
    rays = torch.nn.functional.normalize(torch.from_numpy(case.inputs["local_points"]), dim=-1)
    return _numpy({"K_centered": intrinsics_from_rays(rays), "K_free": intrinsics_from_rays_free(rays)})


def rope2d(case: Case) -> Outputs:
    """The rotation at given positions [B, T, 2], the same for all heads."""
    tokens, positions = torch.from_numpy(case.inputs["tokens"]), torch.from_numpy(case.inputs["positions"])
    rotary = rotary_at(positions.unsqueeze(1), tokens.shape[-1], case.params["base"])
    return _numpy({"rope": rotary.rotate(tokens)})


def rotation(case: Case) -> Outputs:
    """Nine numbers to a rotation."""
    return _numpy({"rotation": rotation_from_9(torch.from_numpy(case.inputs["rot9"]))})


def pos_embed(case: Case) -> Outputs:
    """The position embedding for another grid."""
    height, width = case.params["grid"]
    return _numpy({"pos_embed": resize_position_embedding(torch.from_numpy(case.inputs["pos_embed"]), (height, width))})


def sim3(case: Case) -> Outputs:
    """Masked Umeyama, and poses moved by it (rotation blocks keep the scale)."""
    inputs = {name: torch.from_numpy(value) for name, value in case.inputs.items()}
    both = (inputs["source_mask"] > 0) & (inputs["target_mask"] > 0)
    fitted = umeyama(inputs["source"].flatten(1, 3), inputs["target"].flatten(1, 3), both.flatten(1))
    translation = inputs["pose_translation"]
    poses = se3(torch.eye(3).expand(*translation.shape, 3), translation)
    return _numpy({"sim3": fitted.matrix, "sim3_poses": fitted.matrix.unsqueeze(1) @ poses})


def inverse(case: Case) -> Outputs:
    """The inverse of a rigid motion."""
    turn = rotation_from_9(torch.from_numpy(case.inputs["rot9"]))
    pose = se3(turn, torch.from_numpy(case.inputs["translation"]).squeeze(-1))
    return _numpy({"se3_inverse": se3_inverse(pose)})


def resize_rule(case: Case) -> Outputs:
    """The size that Pi3's preprocessing chooses."""
    params = case.params
    height, width = FitPixels(pixel_limit=params["pixel_limit"])(params["height"], params["width"]).size
    return {"out_width": np.array(width), "out_height": np.array(height)}


def _numpy(outputs: dict[str, Tensor]) -> Outputs:
    return {
        name: (value.to(torch.uint8) if value.dtype == torch.bool else value).detach().numpy()
        for name, value in outputs.items()
    }


PROCEDURES = {
    "forward": forward,
    "pi3x_forward": pi3x_forward,
    "point_filters": point_filters,
    "intrinsics_from_rays": intrinsics,
    "rope2d": rope2d,
    "rotation_from_9": rotation,
    "pos_embed_interpolation": pos_embed,
    "sim3_umeyama": sim3,
    "se3_inverse": inverse,
    "resize_rule": resize_rule,
}
