"""Procedures of the GeoMotion cases (reference/geomotion/cases.md describes what each kind computes)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from motion4d.clip import Clip, Flow, Motion
from motion4d.data.colours import Look
from motion4d.data.crops import CentreSquare, SquareAroundMotion
from motion4d.data.pictures import Box, Pictures
from motion4d.data.stop_view import border_colour, flicker, smooth_path, stopped
from motion4d.framing import Native
from motion4d.geometry.projection import transform_points
from motion4d.losses.compose import WeightedSum
from motion4d.losses.consistency import apparent_motion, inconsistency
from motion4d.losses.scores import batch_scores
from motion4d.losses.segmentation import bce, dice, focal
from motion4d.models import flow_input
from motion4d.models.geomotion import GeoMotion
from motion4d.models.geomotion_weights import to_published
from motion4d.models.motion_fusion import MotionFusion
from motion4d.models.motion_head import PUBLISHED_PREFIXES, FusionHead, from_published_head
from motion4d.refine.base import Prompts
from motion4d.refine.even_odd import EvenOdd
from tests.reference.manifest import Case
from tests.reference.procedures.flow import raft_flow
from tests.reference.procedures.pi3 import build as build_pi3

Outputs = dict[str, Any]


def build(config: dict[str, Any], *, heads: tuple[str, ...] = ("points", "pose")) -> GeoMotion:
    """The model that a case's `config` describes, on the meta device; the images are normalised once."""
    first, second = config["motion_taps"]
    last = config["decoder_depth"] - 1
    head = partial(
        FusionHead,
        low_taps=(f"decoder_{first}", f"decoder_{second}"),
        high_taps=(f"decoder_{last - 1}", f"decoder_{last}"),
        camera_tap="camera_hidden",
        fused_dim=config["motion_fused_dim"],
        dim=config["head_dim"],
        depth=config["head_depth"],
        heads=config["head_heads"],
        flow_channels=config["flow_channels"],
        allow_missing_flow=True,
    )
    with torch.device("meta"):
        return GeoMotion(build_pi3(config, heads=heads), head, None, Native())


_last_model: dict[str, GeoMotion] = {}  # the full-size cases share one network of 4 GB


def network(case: Case) -> GeoMotion:
    """The case's model with its seeded weights, loaded strictly by published name."""
    key = json.dumps([str(case.folder), case.params["config"], case.raw["weights"]], sort_keys=True)
    if key not in _last_model:
        _last_model.clear()
        model = build(case.params["config"])
        state = {name: torch.from_numpy(value) for name, value in case.weight_items()}
        backbone = {name: value for name, value in state.items() if not name.startswith(tuple(PUBLISHED_PREFIXES))}
        model.backbone.load_state_dict(backbone, strict=True, assign=True)
        model.head.load_state_dict(from_published_head(state), strict=True, assign=True)
        _last_model[key] = model
    return _last_model[key]


def _clip_with_lengths(model: GeoMotion, case: Case) -> Clip:
    """The case's clip. Its flow is given as lengths, so the model's rule for them is replaced by these."""
    images = torch.from_numpy(case.inputs["images"])
    clip = Clip(images)
    if "flows" in case.inputs:
        lengths = torch.from_numpy(case.inputs["flows"]).unsqueeze(2)
        batch, frames, _, height, width = images.shape
        clip.estimated_flow = Flow(forward=torch.zeros(batch, frames - 1, 2, height, width))
        model.head.flow_input = lambda flow: lengths
    return clip


def _recorded(recorder: dict[str, Tensor], name: str) -> Callable[[nn.Module, Any, Tensor], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        recorder[name] = output

    return hook


@torch.no_grad()
def forward(case: Case) -> Outputs:
    """Motion and geometry from one pass, and the taps that the case names."""
    model = network(case).eval()
    clip = _clip_with_lengths(model, case)
    taps = [tap.removeprefix("tap.") for tap in case.params["taps"]]
    taps = [tap for tap in taps if tap in model.backbone.available_taps]
    seen: dict[str, Tensor] = {}
    hooks = [
        model.head.fusion.register_forward_hook(_recorded(seen, "tap.motion_hidden")),
        model.head.decoder.register_forward_hook(_recorded(seen, "tap.conf_hidden")),
        model.backbone.camera_head.register_forward_hook(_recorded(seen, "poses")),
    ]
    motion, geometry = model.forward_all(clip, heads=("points", "pose"), taps=(*taps, "encoder"))
    for hook in hooks:
        hook.remove()
    # our world is the first camera; the published one is the network's own
    camera_to_common = seen.pop("poses").unflatten(0, clip.images.shape[:2])
    common = transform_points(camera_to_common[:, 0], geometry.points_world.flatten(1, 3))
    encoder = geometry.tokens["encoder"][:, :, model.backbone.special_tokens :]
    outputs = {
        "motion_mask": motion.probabilities,
        "conf": motion.logits.unsqueeze(-1),
        "local_points": geometry.points_camera,
        "points": common.view_as(geometry.points_world),
        "camera_poses": camera_to_common,
        "tap.encoder_tokens": encoder.flatten(0, 1),
    }
    return _numpy(outputs | seen | {f"tap.{tap}": geometry.tokens[tap].flatten(0, 1) for tap in taps})


def train(case: Case) -> Outputs:
    """A few AdamW steps on one batch with the backbone frozen."""
    params = case.params
    model = network(case).train()
    clip = _clip_with_lengths(model, case)
    clip.motion = torch.from_numpy(case.inputs["motion_masks"]).bool()
    trained = list(model.head.parameters())
    before = [parameter.detach().clone() for parameter in trained]
    optimizer = torch.optim.AdamW(
        trained, lr=params["lr"], weight_decay=params["weight_decay"], betas=params["betas"], eps=params["eps"]
    )
    loss = WeightedSum({"bce": bce, "dice": dice}, params["loss"])
    outputs: Outputs = {}
    rows, norms = [], []
    for step in range(params["steps"]):
        optimizer.zero_grad()
        values = loss(model(clip), clip)
        values["total"].backward()
        if step == 0:
            assert all(parameter.grad is None for parameter in model.backbone.parameters())
            outputs |= {
                f"grad0.{name}": value.clone() for name, value in _published_head(model, gradients=True).items()
            }
        rows.append([values[name].item() for name in ("total", "bce", "dice")])
        norms.append(nn.utils.clip_grad_norm_(trained, params["clip_norm"]).item())
        optimizer.step()
    outputs |= {f"param{params['steps']}.{name}": value.clone() for name, value in _published_head(model).items()}
    with torch.no_grad():  # the network is shared with other cases
        for parameter, value in zip(trained, before, strict=True):
            parameter.copy_(value)
            parameter.grad = None
    return _numpy(outputs) | {"losses": np.array(rows), "grad_norms": np.array(norms)}


def _published_head(model: GeoMotion, *, gradients: bool = False) -> dict[str, Tensor]:
    """The trainable parameters (or their gradients) under their published names."""
    published = {value.data_ptr(): name for name, value in to_published(model).items()}
    return {
        published[parameter.data_ptr()]: parameter.grad if gradients else parameter.detach()
        for parameter in model.head.parameters()
    }


@torch.no_grad()
def flow_features(case: Case) -> Outputs:
    """The flow convolutions over whole frames."""
    prefix = case.params["weight_prefix"]
    fusion = MotionFusion(1, 1, 1, 1, flow_channels=case.params["channels"])
    state = {
        name.removeprefix(prefix): torch.from_numpy(value)
        for name, value in case.weight_items()
        if name.startswith(prefix)
    }
    fusion.flow_encoder.load_state_dict(state, strict=True)
    flows = torch.from_numpy(case.inputs["flows"]).flatten(0, 1).unsqueeze(1)
    return _numpy({"flow_features": fusion.flow_encoder(flows)})


def _logits(probabilities: Tensor) -> Tensor:
    """Ours work on logits: beyond +-100 they stand for the published clamp of the logarithms."""
    return torch.logit(probabilities.double()).clamp(-100, 100).float()


def _prediction_and_truth(case: Case) -> tuple[Motion, Clip]:
    probabilities, target = (torch.from_numpy(case.inputs[name]) for name in ("probabilities", "target"))
    batch, frames, height, width = target.shape
    clip = Clip(torch.zeros(batch, frames, 3, height, width), motion=target > 0.5)
    if "valid" in case.inputs:
        clip.valid = torch.from_numpy(case.inputs["valid"]) > 0.5
    return Motion(_logits(probabilities)), clip


def losses(case: Case) -> Outputs:
    """All terms, two weighted sums and the batch scores."""
    prediction, clip = _prediction_and_truth(case)
    points, world_conf, translations = (
        torch.from_numpy(case.inputs[name]) for name in ("world_points", "world_conf", "camera_translations")
    )
    poses = torch.eye(4).repeat(*translations.shape[:2], 1, 1)
    poses[..., :3, 3] = translations
    moved = apparent_motion(points, poses)

    def consistency(prediction: Motion, _clip: Clip) -> Tensor:
        return inconsistency(prediction.probabilities, moved, world_conf > 0.5)

    terms = {"bce": bce, "dice": dice, "focal": focal, "consistency": consistency}
    values = WeightedSum(terms, case.params["weights"])(prediction, clip)
    default = WeightedSum({"bce": bce, "dice": dice})(prediction, clip)
    scores = batch_scores(prediction, clip, threshold=case.params["metric_threshold"])
    outputs = {"weighted_total": values.pop("total"), "default_total": default["total"]}
    return _numpy(outputs | values | scores)


def losses_valid_mask(case: Case) -> Outputs:
    """The published loss with pixels excluded."""
    return _numpy(WeightedSum({"bce": bce, "dice": dice}, case.params["weights"])(*_prediction_and_truth(case)))


def loss_gradient(case: Case) -> Outputs:
    """The gradient with respect to the probabilities."""
    _, clip = _prediction_and_truth(case)
    probabilities = torch.from_numpy(case.inputs["probabilities"]).requires_grad_()
    values = WeightedSum({"bce": bce, "dice": dice}, case.params["weights"])(Motion(_logits(probabilities)), clip)
    values["total"].backward()
    return _numpy({"grad_probabilities": probabilities.grad})


def flow_fusion(case: Case) -> Outputs:
    """Every rule of motion4d.models.flow_input."""
    flow = Flow(*(torch.from_numpy(case.inputs[name])[None] for name in ("flow_forward", "flow_backward")))
    rules = {
        "bidirectional_max": flow_input.bidirectional_max,
        "bidirectional_mean": flow_input.bidirectional_mean,
        "bidirectional_sum": flow_input.bidirectional_sum,
        "bidirectional_weighted_mean": flow_input.bidirectional_mean,
        "forward_only": flow_input.forward_only,
    }
    outputs = {name: rule(flow).squeeze(2) for name, rule in rules.items()}
    return _numpy(outputs | {"vectors_max": flow_input.vectors_max(flow)})


class NearestPrompt:
    """The stand-in for a mask tracker: every frame gets the prompt of the nearest prompted one."""

    def __init__(self) -> None:
        self.rows: list[list[int]] = []  # [pass, frame, object, prompt pixels]

    def load(self) -> None:
        """Nothing to read."""

    def encode(self, images: Tensor) -> int:
        """How many frames there are."""
        return len(images)

    def propagate(self, clip: int, prompts: Prompts) -> Iterator[tuple[int, Tensor]]:
        """Logits 2 m - 1 + 0.01 t of the nearest prompt m, the lower one of two."""
        ((number, masks),) = prompts.items()
        self.rows += [[(min(masks) + 1) % 2, frame, number, int(mask.sum())] for frame, mask in masks.items()]
        for frame in range(clip):
            nearest = min(masks, key=lambda prompted: (abs(prompted - frame), prompted))
            yield frame, 2 * masks[nearest][None].float() - 1 + 0.01 * frame


def sam2_refine(case: Case) -> Outputs:
    """Even and odd frames refine each other; where there is nothing to refine with, the prompts' threshold acts."""
    frames, masks, factors = (torch.from_numpy(case.inputs[k]) for k in ("frames", "motion_mask", "mask_factor"))
    threshold, tracker = case.params["prompt_threshold"], NearestPrompt()
    refiner = EvenOdd(tracker, prompt_threshold=threshold)
    refined = refiner(frames, masks * factors.view(-1, 1, 1), threshold=threshold)
    counts = refined.sum((1, 2))
    return _numpy({"refined": refined.to(torch.uint8), "refined_counts": counts, "prompts": torch.tensor(tracker.rows)})


def stop_trajectory(case: Case) -> Outputs:
    """The path of the view in which everything stands still."""
    params = case.params
    path = smooth_path(
        params["num_frames"],
        params["crop_width"],
        translate_share=params["translate_share"],
        scale_amplitude=params["scale_amplitude"],
    )
    return {"abs_dx": abs(path.dx), "abs_dy": abs(path.dy), "scale": path.scale}


def _pictures(images: np.ndarray | None, masks: np.ndarray) -> Pictures:
    frames = masks if images is None else images
    return Pictures([Image.fromarray(image) for image in frames], [Image.fromarray(mask) for mask in masks])


CROPS = {"center": CentreSquare(), "smart": SquareAroundMotion()}


def triview(case: Case) -> Outputs:
    """One view of a clip, everything random given."""
    params = case.params
    pictures = _pictures(case.inputs["images"], case.inputs["masks"])
    if params["mode"] == "stop":
        count, middle = len(pictures.images), len(pictures.images) // 2
        path = smooth_path(
            count,
            params["crop"][2],
            signs=(params["sign_x"], params["sign_y"]),
            translate_share=params["translate_share"],
            scale_amplitude=params["scale_amplitude"],
        )
        images = stopped(pictures.images[middle], path, flicker(count, params["brightness_amplitude"]))
        masks = [path.place(pictures.masks[middle], index, fill=0, smooth=False) for index in range(count)]
        pictures = Pictures(images, masks)
    else:
        look = Look(**{field.name: params.get(field.name) for field in dataclasses.fields(Look)})
        pictures = Pictures([look(image) for image in pictures.images], pictures.masks)
    pictures = (pictures.mirrored() if params["flip"] else pictures).cropped(Box(*params["crop"]))
    return {name: np.stack([np.asarray(one) for one in getattr(pictures, name)]) for name in ("images", "masks")}


def triview_crop(case: Case) -> Outputs:
    """Where the crop of a view lies."""
    pictures = _pictures(None, case.inputs["masks"])
    masks = pictures.mirrored().masks if case.params["flip"] else pictures.masks
    return {"crop": np.array(CROPS[case.params["crop_strategy"]](masks))}


def triview_edge_colour(case: Case) -> Outputs:
    """What lies beyond the border of a moved frame."""
    image = Image.fromarray(case.inputs["images"][case.params["frame"]])
    return {"edge_mean": np.array(border_colour(image))}


def _numpy(outputs: dict[str, Tensor]) -> Outputs:
    return {name: value.detach().numpy() for name, value in outputs.items()}


PROCEDURES = {
    "forward": forward,
    "train": train,
    "flow_features": flow_features,
    "losses": losses,
    "losses_valid_mask": losses_valid_mask,
    "loss_gradient": loss_gradient,
    "flow_fusion": flow_fusion,
    "raft_flow": raft_flow,
    "sam2_refine": sam2_refine,
    "stop_trajectory": stop_trajectory,
    "triview": triview,
    "triview_crop": triview_crop,
    "triview_edge_colour": triview_edge_colour,
}
