"""Easi3R's dynamics from the attention of a pair network."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.backbones.pairs import EncodedFrames
from motion4d.reconstruct.attention_statistics import AttentionStatistics
from tests.reference.manifest import Case
from tests.reference.procedures.monst3r_network import network

Outputs = dict[str, Any]


@torch.no_grad()
def attention_pair(case: Case) -> Outputs:
    """Key maps and pointmaps of one pair, with masks or without."""
    frames, moving = _encoded(case, 2), None
    if case.params["mask_repeat"]:
        masks = torch.cat([torch.from_numpy(case.inputs[f"mask{k}"]) for k in (0, 1)]).float()[:, None]
        pixels = F.interpolate(masks, scale_factor=case.params["mask_repeat"])
        moving = F.max_pool2d(pixels, case.params["model"]["patch_size"])[:, 0] > 0
    seen: list[Tensor] = []
    pair = tuple(case.params["pair"])
    maps = network(case).decode_watched(frames, [pair], lambda _, *both: seen.extend(both), moving=moving)
    outputs = {
        "attn1": seen[0],
        "attn2": seen[1],
        "pts3d": maps.points_first,
        "pts3d_in_other_view": maps.points_second,
    }
    return {name: value.numpy() for name, value in outputs.items()}


@torch.no_grad()
def attention_fusion(case: Case) -> Outputs:
    """The four maps of every frame, and what they say together."""
    pairs = [(i, j) for i, j in case.params["edges"]]
    frames = _encoded(case, 1 + max(max(pair) for pair in pairs))
    statistics = AttentionStatistics(len(frames))
    network(case).watch_attention(frames, pairs, statistics)
    fused = statistics.fused()
    outputs = {
        "mean_i": fused.mean_sought,
        "std_i": fused.deviation_sought,
        "mean_j": fused.mean_referred,
        "std_j": fused.deviation_referred,
        "dynamic_map": fused.dynamic,
    }
    return {name: value.numpy() for name, value in outputs.items()}


def _encoded(case: Case, count: int) -> EncodedFrames:
    images = torch.cat([torch.from_numpy(case.inputs[f"frame{k}"]) for k in range(count)])
    return network(case).encode((images + 1) / 2)


PROCEDURES = {"attention_pair": attention_pair, "attention_fusion": attention_fusion}
