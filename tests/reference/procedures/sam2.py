"""Procedures of the SAM 2 cases (reference/sam2/cases.md describes what each kind computes)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.io.weights import load_strict
from motion4d.refine.base import Box, Points, Prompt, Prompts
from motion4d.refine.even_odd import EvenOdd
from motion4d.refine.sam2 import EncodedClip, Sam2Tracker
from motion4d.refine.sam2_network import network_for
from motion4d.refine.sam2_weights import to_transformers_layout
from tests.reference.manifest import Case

Outputs = dict[str, Any]


_trackers: dict[str, Sam2Tracker] = {}  # the cases share one network


def tracker(case: Case) -> Sam2Tracker:
    """The case's network with its seeded weights, loaded strictly by published name."""
    key = json.dumps([str(case.folder), case.params["image_size"], case.raw["weights"]], sort_keys=True)
    if key not in _trackers:
        _trackers[key] = _build(case)
    return _trackers[key]


def _build(case: Case) -> Sam2Tracker:
    state = to_transformers_layout({name: torch.from_numpy(value) for name, value in case.weight_items()})
    network = network_for(state, image_size=case.params["image_size"], source=case.name)
    load_strict(network, state, source=case.name)
    return Sam2Tracker(network=network)


def _blocks(coarse: np.ndarray, repeat: int) -> Tensor:
    """Every value of [T, h, w, ...] repeated over a block of pixels."""
    return torch.from_numpy(coarse.repeat(repeat, axis=1).repeat(repeat, axis=2))


def _images(case: Case) -> Tensor:
    return _blocks(case.inputs["frames_coarse"], case.params["repeat"]).permute(0, 3, 1, 2)


def _logits(sam2: Sam2Tracker, clip: EncodedClip, prompts: Prompts, start: int) -> np.ndarray:
    return torch.stack([logits[0] for _, logits in sam2.propagate(clip, prompts, start=start)]).numpy()


def _pixel_values(sam2: Sam2Tracker, images: Tensor) -> np.ndarray:
    return torch.stack([sam2.pixel_values(image) for image in images]).numpy()


def prompt_propagation(case: Case) -> Outputs:
    """Points or a box on some frames, followed to the end."""
    sam2, images, params = tracker(case), _images(case), case.params
    if "box" in case.inputs:
        prompt: Prompt = Box(*map(float, case.inputs["box"]))
    else:
        prompt = Points(*(torch.from_numpy(np.asarray(case.inputs[name])) for name in ("points", "point_labels")))
    prompts = {params["object_id"]: dict.fromkeys(params["prompt_frames"], prompt)}
    logits = _logits(sam2, sam2.encode(images), prompts, params["start_frame"])
    return {"pixel_values": _pixel_values(sam2, images), "logits": logits}


def even_odd_refinement(case: Case) -> Outputs:
    """Both passes, and what the refiner makes of them."""
    sam2, images, params = tracker(case), _images(case), case.params
    masks = _blocks(np.asarray(case.inputs["prompt_masks_coarse"]), params["repeat"]) > 0.5
    clip = sam2.encode(images)
    outputs: Outputs = {"pixel_values": _pixel_values(sam2, images)}
    for name, frames in params["prompt_frames"].items():
        prompts = {params["object_id"]: {frame: masks[frame] for frame in frames}}
        outputs[f"logits_prompt_{name}"] = _logits(sam2, clip, prompts, params["start_frame"])
    refined = EvenOdd(sam2, prompt_threshold=0.5)(images, masks.float())
    return {**outputs, "refined": refined.numpy().astype(np.uint8)}


PROCEDURES = {"prompt_propagation": prompt_propagation, "even_odd_refinement": even_odd_refinement}
