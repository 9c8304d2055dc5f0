"""Procedures of the PAGE-4D cases (reference/page4d/cases.md describes what each kind computes)."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from typing import Any

import numpy as np
import torch

from motion4d.backbones.page4d import Page4D, mask_alpha
from tests.reference.manifest import Case
from tests.reference.procedures import vggt

Outputs = dict[str, Any]

_last_network: dict[str, Page4D] = {}  # the full-size cases share one network of 5 GB


def build(config: dict[str, Any]) -> Page4D:
    """The network that a case's `config` describes, on the meta device."""
    mask = config["mask_head"]
    layers = mask["biased_global_blocks"]
    assert layers == list(range(layers[0], layers[-1] + 1))
    with torch.device("meta"):
        return Page4D(
            mask_layer=mask["after_frame_block"],
            mask_layers=(layers[0], layers[-1]),
            mask_gate=mask["scale"],
            **vggt.settings(config),
        )


def network(case: Case) -> Page4D:
    """The case's network with its seeded weights."""
    key = json.dumps([str(case.folder), case.params["config"], case.raw["weights"]], sort_keys=True)
    if key not in _last_network:
        _last_network.clear()
        model = build(case.params["config"])
        vggt.load_seeded(model, case)
        _last_network[key] = model
    return _last_network[key]


@torch.no_grad()
def forward(case: Case) -> Outputs:
    """VGGT's outputs under the mask, the mask itself, and the gate of the first six tokens of every frame."""
    model, mask = network(case), case.params["mask"]
    alpha = mask_alpha(mask["step"], mask["hold"], mask["end"])
    outputs = vggt.outputs_of(model, case, taps=["mask"], strength=alpha)
    special = model.special_tokens
    row = np.zeros((*outputs["tap.mask"].shape[:2], special + 1), dtype=np.float32)
    row[..., :special] = model.mask_gate * alpha
    return outputs | {"mask": outputs["tap.mask"][:, :, special:, 0], "row": row}


@torch.no_grad()
def mask_off_identity(case: Case) -> Outputs:
    """Without the mask, the largest difference from VGGT with the same weights."""
    ours = vggt.outputs_of(network(case), case, strength=0.0)
    config = case.params["config"]
    pattern = case.params["dropped_weights"]
    kept = {key: shape for key, shape in case.manifest.items() if not fnmatch.fnmatchcase(key, pattern)}
    plain = vggt.outputs_of(vggt.load_seeded(vggt.build(config), _with_manifest(case, kept)), case)
    return {f"difference.{name}": np.abs(ours[name] - plain[name]).max() for name in case.params["outputs"]}


def alpha(case: Case) -> Outputs:
    """The schedule of the mask's strength."""
    steps, params = case.inputs["steps"], case.params
    return {"alpha": np.array([mask_alpha(int(step), params["hold"], params["end"]) for step in steps])}


def _with_manifest(case: Case, manifest: dict[str, list[int]]) -> Case:
    changed = dataclasses.replace(case)
    changed.__dict__["manifest"] = manifest  # the cached property
    return changed


PROCEDURES = {"forward": forward, "mask_off_identity": mask_off_identity, "mask_alpha": alpha}
