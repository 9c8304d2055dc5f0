"""Procedures of the network's and the tokenizer's cases (reference/segaffordance/cases.md says what they compute)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from motion4d.backbones.clip import ClipBackbone, ClipTowers
from motion4d.backbones.clip_tokenizer import ClipTokenizer
from motion4d.backbones.clip_visual import VisualTower
from motion4d.framing import Square
from motion4d.io.weights import load_strict
from motion4d.layers.imagenet import IMAGE_MEAN, IMAGE_STD
from motion4d.models.affordance.depth import DepthEncoder
from motion4d.models.affordance.motion import AxisByKind, DirectMotion, KindHint, LatentMotion
from motion4d.models.affordance.network import Affordance
from motion4d.models.affordance.places import PixelDepth, Point
from motion4d.models.affordance.trajectory import CosineTrajectory, StepTrajectory, Trajectory, Twist
from motion4d.models.affordance.weights import own_names
from motion4d.part import PartMotion, PartPrediction, PartQuery
from tests.reference.manifest import Case

Outputs = dict[str, Any]


def built(model: dict[str, Any], **settings: Any) -> Affordance:
    """The network of upstream's settings."""
    backbone = ClipBackbone(ClipTowers(VisualTower()), word_length=model["word_len"])
    hypotheses = model["twist_num_hypotheses"] if model["use_twist_head"] else 1
    way: Any = Trajectory
    if model["trajectory_delta_cumsum"]:
        way = StepTrajectory
    elif model["trajectory_dct_coeffs"]:
        way = partial(CosineTrajectory, coefficients=model["trajectory_dct_coeffs"])
    axis, kind = model["use_motion_head"], model["use_motion_type_head"]
    motion: Any = None
    if model["use_cvae"]:
        motion = LatentMotion
    elif model["split_axis_heads"]:
        motion = AxisByKind
    elif axis or kind:
        motion = partial(DirectMotion, axis=axis, kind=kind)
    return Affordance(
        backbone,
        Square(256),
        depth=DepthEncoder if model["use_depth"] else None,
        motion=motion,
        trajectory=partial(way, hypotheses=hypotheses) if model["use_trajectory_head"] else None,
        trajectory_2d=partial(Trajectory, dimensions=2) if model["use_2d_trajectory_head"] else None,
        twist=partial(Twist, hypotheses=hypotheses, pitch_free=model["twist_pitch_free"])
        if model["use_twist_head"]
        else None,
        kind_hint=KindHint if model["use_motion_type_input"] else None,
        point_3d=Point if model["point_prediction_3d"] else None,
        origin=Point if model["use_origin_head"] else None,
        point_depth=PixelDepth if model["predict_point_depth"] else None,
        origin_depth=PixelDepth if model["predict_origin_depth"] else None,
        origin_map_depth=PixelDepth if model["use_origin_heatmap"] else None,
        local_origin=model["use_origin_local_feature"],
        pool_predicted=model["pool_with_predicted_mask"],
        frozen=["backbone.clip.token_embedding.weight"],
        **settings,
    )


def loaded(case: Case, **settings: Any) -> Affordance:
    """The case's network with its seeded weights."""
    with torch.device("meta"):
        network = built(case.params["model"], **settings)
    network.to_empty(device="cpu")
    network.mean.copy_(torch.tensor(IMAGE_MEAN).view(3, 1, 1))
    network.std.copy_(torch.tensor(IMAGE_STD).view(3, 1, 1))
    state = own_names({name: torch.from_numpy(np.asarray(value)) for name, value in case.weight_items()})
    load_strict(network, state, source=case.name)
    return network.eval()


def query_of(case: Case, **truth: Any) -> PartQuery:
    """The inputs of a case; `images` are normalised there."""
    inputs = {name: value for name, value in case.inputs.items() if not isinstance(value, (str, list))}
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in inputs.items()}
    images = tensors["images"] * torch.tensor(IMAGE_STD).view(3, 1, 1) + torch.tensor(IMAGE_MEAN).view(3, 1, 1)
    query = PartQuery(images, tuple(case.inputs["texts"]))
    if "depth" in tensors:
        query.depth = tensors["depth"][:, 0]
    if "camera_intrinsic" in case.inputs:
        width, height = np.asarray(case.inputs["image_size"], dtype=np.float32)
        camera = torch.as_tensor(np.asarray(case.inputs["camera_intrinsic"], dtype=np.float32))
        scale = torch.tensor([query.size[1] / width, query.size[0] / height, 1.0])
        query.intrinsics = (camera * scale[:, None]).expand(len(query), 3, 3)
    if truth:
        query.truth = PartMotion(torch.zeros(len(query), *query.size, dtype=torch.bool), **truth)
    return query


def outputs_of(said: PartPrediction) -> Outputs:
    """A prediction under upstream's names."""
    outputs = {
        "mask_logits": said.mask_logits[:, None],
        "point_logits": _map(said.point_logits),
        "point_uv": said.point,
        "motion_pred": said.axis,
        "motion_type_logits": said.kind_logits,
        "trajectory_pred": said.trajectory,
        "trajectory_2d_pred": said.trajectory_2d,
        "point_3d_pred": said.point_3d,
        "origin_pred": said.origin,
        "origin_uv": said.origin_point,
        "origin_logits": _map(said.origin_logits),
        "origin_depth": said.origin_depth,
        "twist_pred": said.twist,
        "twist_hyps": said.twist_hypotheses,
        "trajectory_hyps": said.trajectory_hypotheses,
        "twist_logits": said.hypothesis_logits,
        "mu": said.latent_mean,
        "log_var": said.latent_log_variance,
    }
    if said.axis_by_kind is not None:
        outputs |= {"motion_pred_trans": said.axis_by_kind[:, 0], "motion_pred_rot": said.axis_by_kind[:, 1]}
    return {name: value for name, value in outputs.items() if value is not None}


def _map(logits: Tensor | None) -> Tensor | None:
    return None if logits is None else logits[:, None]


@torch.no_grad()
def eval_forward(case: Case) -> Outputs:
    """One forward of the whole network, what stands between its parts included."""
    network, query = loaded(case), query_of(case)
    taps: Outputs = {}
    _listen(network, taps)
    outputs: Outputs = {"tokens": network.backbone.tokenize(query.texts)}
    words, sentence = network.backbone.clip.encode_text(outputs["tokens"])
    outputs |= {"word": words, "state": sentence}
    if not case.params["model"]["use_cvae"]:
        return outputs | outputs_of(network(query)) | taps
    axis, eps, z = (torch.from_numpy(np.asarray(case.inputs[k])) for k in ("motion_gt", "vae_eps", "vae_z"))
    posterior = outputs_of(network(query_of(case, axis=axis), noise=eps))
    prior = outputs_of(network.predict(query, z))
    for name in ("mu", "log_var", "motion_pred", "motion_type_logits"):
        for path, said in (("posterior", posterior), ("prior", prior)):
            if name in said:
                outputs[f"{path}.{name}"] = said[name]
    return outputs | prior | taps


def _listen(network: Affordance, taps: Outputs) -> None:
    """Keep what goes into and out of the parts."""

    def neck(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        taps.update(zip(("v2", "v3", "v4"), inputs, strict=False))
        taps["neck"] = output

    def depth(_: nn.Module, __: Any, output: tuple[Tensor, Tensor]) -> None:
        taps["depth8"], taps["depth16"] = output

    network.neck.register_forward_hook(neck)
    network.decoder.register_forward_hook(lambda _, __, output: taps.update(decoder=output))
    if network.depth_encoder is not None:
        network.depth_encoder.register_forward_hook(depth)
    if network.trajectory_predictor is not None:
        network.trajectory_predictor.register_forward_hook(lambda _, inputs, __: taps.update(condition=inputs[0]))


@torch.no_grad()
def head_variant(case: Case) -> Outputs:
    """The network with optional heads."""
    network = loaded(case)
    kinds = case.inputs.get("motion_type_input")
    told = None if kinds is None else torch.from_numpy(np.asarray(kinds))
    outputs = outputs_of(network.predict(query_of(case), kinds=told))
    if isinstance(network.trajectory_predictor, CosineTrajectory):
        outputs["idct_m"] = network.trajectory_predictor.idct_m
    return outputs


def tokenize(case: Case) -> Outputs:
    """Ids of sentences."""
    return {"ids": ClipTokenizer()(case.inputs["texts"], case.params["context_length"])}


PROCEDURES = {"eval_forward": eval_forward, "head_variant": head_variant, "tokenize": tokenize}
