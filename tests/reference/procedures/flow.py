"""Procedures of the flow cases (reference/flow/cases.md describes what each kind computes).

All cases run the per-clip form, both directions at once; those of one direction compare the forward half.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.flow import consistency
from motion4d.flow.correlation import pixel_grid
from motion4d.flow.fitting import ReplicatePad
from motion4d.flow.gmflow import GmFlow, gmflow, gmflow_scale2, unimatch
from motion4d.flow.network import FlowNetwork
from motion4d.flow.raft import Raft, raft_large, raft_small
from motion4d.flow.raft_weights import to_torchvision_layout
from motion4d.flow.sea_raft import SeaRaft, sea_raft, sea_raft_small
from motion4d.io.flow_files import decode_kitti, encode_flo, encode_kitti
from motion4d.io.weights import load_strict
from motion4d.models import flow_input
from motion4d.viz.flow_color import RAFT_EPSILON, colour_wheel, flow_to_rgb
from tests.reference.manifest import Case, NotCovered

Outputs = dict[str, Any]
BUILDERS = {"raft-large": raft_large, "raft_large": raft_large, "raft-small": raft_small, "raft_small": raft_small}
SEA_BUILDERS = {"sea-raft-m": sea_raft, "sea-raft-s": sea_raft_small}
GM_BUILDERS = {"gmflow-scale1": gmflow, "gmflow-scale2": gmflow_scale2, "gmflow-scale2-regrefine6": unimatch}
PADDINGS = {"sintel": ReplicatePad(8, centre_rows=True), "kitti": ReplicatePad(8, centre_rows=False)}
FUSIONS = {
    "max": flow_input.bidirectional_max,
    "mean": flow_input.bidirectional_mean,
    "weighted_mean": flow_input.bidirectional_mean,
    "sum": flow_input.bidirectional_sum,
}


def network(case: Case, *, iterations: int) -> Raft:
    """The case's RAFT with its seeded weights, of either layout, loaded strictly."""
    raft = BUILDERS[case.params["model"]](iterations=iterations)
    seed(raft, case)
    return raft


def seed(network: FlowNetwork, case: Case) -> None:
    """Load the case's seeded weights strictly."""
    state = {key.removeprefix("module."): torch.from_numpy(value) for key, value in case.weights().items()}
    load_strict(network, to_torchvision_layout(state), source=case.name)


def gm_network(case: Case) -> GmFlow:
    """The case's GMFlow with its seeded weights."""
    network = GM_BUILDERS[case.params["model"]]()
    if network.update_block is not None and network.refinements != case.params["num_reg_refine"]:
        raise NotCovered("another number of refinements than six")
    seed(network, case)
    return network


def image_pair(case: Case) -> list[Tensor]:
    """The case's two images [B, 3, H, W] in [0, 1]."""
    return [torch.from_numpy(case.inputs[name]) / 255 for name in ("image1", "image2")]


def field(case: Case, name: str) -> Tensor:
    """[B, 2, H, W]: coarse values, each repeated into a square, plus fine ones."""
    coarse, fine = (torch.from_numpy(case.inputs[f"{name}_{part}"]) for part in ("coarse", "fine"))
    repeat = case.params["repeat"]
    return coarse.repeat_interleave(repeat, 2).repeat_interleave(repeat, 3) + fine


@torch.no_grad()
def raft_forward(case: Case) -> Outputs:
    """Encoders, lookups, states and flow of one pair per batch item."""
    raft = network(case, iterations=case.params["iters"])
    images = image_pair(case)
    size = (images[0].shape[-2], images[0].shape[-1])
    padding = PADDINGS[case.params["pad"]] if case.params["pad"] else None
    pairs = len(images[0])
    features, context = raft.encode(torch.cat([padding.images(image) if padding else image for image in images]))
    correlation = raft.correlate(features[:pairs], features[pairs:])
    start = torch.from_numpy(case.inputs["flow_init"]).repeat(2, 1, 1, 1) if "flow_init" in case.inputs else None
    grid = pixel_grid(features.shape[-2], features.shape[-1], like=features).expand(len(features), -1, -1, -1)
    flows = [torch.zeros_like(grid) if start is None else start]
    states = list(raft.updates(correlation, context, start=start))
    flows += [flow for _, flow in states]
    upsampled = raft.upsample(*states[-1])[:pairs]
    outputs: Outputs = {
        "fmap1": features[:pairs],
        "fmap2": features[pairs:],
        "cnet": context[:pairs],
        "corr_first": correlation.lookup(grid + flows[0])[:pairs],
        "corr_last": correlation.lookup(grid + flows[-2])[:pairs],
        "net_first": states[0][0][:pairs],
        "flow_low_first": flows[1][:pairs],
        "flow_low": flows[-1][:pairs],
        "flow_up_first": raft.upsample(*states[0])[:pairs],
        "flow_up": upsampled,
    }
    if padding:
        outputs["pad"] = np.array(padding.margins(*size))
        outputs["flow_unpadded"] = padding.undo_flow(upsampled, size)
    return {name: np.asarray(value) for name, value in outputs.items()}


@torch.no_grad()
def sea_raft_forward(case: Case) -> Outputs:
    """Encoders, lookups, states and flow of one pair per batch item."""
    network: SeaRaft = SEA_BUILDERS[case.params["model"]](iterations=case.params["iters"])
    seed(network, case)
    images = image_pair(case)
    size = (images[0].shape[-2], images[0].shape[-1])
    pairs = len(images[0])
    scaled, features = network.encode(network.fitting.images(torch.cat(images)))
    correlation = network.correlate(features[:pairs], features[pairs:])
    context = network.context(scaled[:pairs], scaled[pairs:])
    states = list(network.states(correlation, context))
    grid = pixel_grid(features.shape[-2], features.shape[-1], like=features)
    outputs = {
        "fmap1": features[:pairs],
        "fmap2": features[pairs:],
        "cnet": context,
        "init": network.init_conv(context),
        "corr_first": correlation.lookup(grid + states[0].flow),
        "net_first": states[1].hidden,
        "net_last": states[-1].hidden,
        "head_init": states[0].head,
        "head_last": states[-1].head,
        "flow_init": network.fitting.undo_flow(network.upsample(states[0]), size),
        "flow": network.fitting.undo_flow(network.upsample(states[-1]), size),
    }
    return {name: value[:pairs].numpy() for name, value in outputs.items()}


@torch.no_grad()
def gmflow_forward(case: Case) -> Outputs:
    """Features, matches and refinements of one pair per batch item."""
    network = gm_network(case)
    images = image_pair(case)
    pairs = len(images[0])
    kept = 2 * pairs if case.params["bidirectional"] else pairs
    features = network.encode(torch.cat(images))
    first, second = [part[:pairs] for part in features], [part[pairs:] for part in features]
    scales = list(network.scales(first, second))
    outputs: Outputs = {"flow": network.both_ways(first, second)[:kept]}
    for number, (scale, part) in enumerate(zip(scales, features, strict=True)):
        directions = kept if number else pairs
        outputs[f"scale{number}.backbone"] = part
        outputs[f"scale{number}.trans0"] = scale.source[:directions].permute(0, 3, 1, 2)
        outputs[f"scale{number}.trans1"] = scale.target[:directions].permute(0, 3, 1, 2)
        outputs[f"scale{number}.flow_before_prop"] = scale.found[:kept]
        outputs[f"scale{number}.flow_after_prop"] = scale.flow[:kept]
    if network.update_block is not None:
        correlation = network.correlate(first[-1], second[-1])
        start = scales[-1].flow
        states = list(network.refine(correlation, scales[-1].source.permute(0, 3, 1, 2), start))
        flows = torch.stack([start, *(flow for _, flow in states)])[:, :kept]
        outputs["refine0.corr"] = network.look_up(correlation, start)[:kept]
        outputs["refine0.net"] = states[0][0][:kept]
        outputs["refine.deltas_mean_abs"] = flows.diff(dim=0).abs().mean((1, 2, 3, 4))
        outputs["refine_last.flow_low"] = flows[-1]
    return {name: value.numpy() for name, value in outputs.items()}


def gmflow_inference(case: Case) -> Outputs:
    """The wrapper: a clip of two frames of any size and orientation."""
    if case.params["inference_size"] is not None:
        raise NotCovered("a given inference size")
    network = gm_network(case)
    video = torch.from_numpy(case.inputs["frames"]).permute(0, 3, 1, 2) / 255
    flow = network(Clip(images=video[None]))
    assert flow.backward is not None
    both = torch.cat([flow.forward[0], flow.backward[0]]) if case.params["bidirectional"] else flow.forward[0]
    return {"flow": both.numpy(), "flow_upstream_transposed": both.flip(1).numpy()}


def geomotion_flow(case: Case) -> Outputs:
    """GeoMotion's wrapper: magnitudes and vectors per frame for each of the case's settings."""
    raft = network(case, iterations=case.params["iters"])
    flow = raft(Clip(images=torch.from_numpy(case.inputs["video"])))
    outputs: Outputs = {}
    for name, settings in case.params["runs"].items():
        if settings["bidirectional"]:
            outputs[f"{name}_mag"] = FUSIONS[settings["fusion"]](flow)[:, :, 0].numpy()
            vectors = flow_input.vectors_max(flow) if settings["fusion"] == "max" else mean_vectors(flow)
            outputs[f"{name}_vec"] = vectors.numpy()
        else:
            outputs[f"{name}_mag"] = flow_input.forward_only(flow)[:, :, 0].numpy()
            outputs[f"{name}_vec"] = F.pad(flow.forward, (0, 0, 0, 0, 0, 0, 1, 0)).numpy()
    return outputs


def mean_vectors(flow: Flow) -> Tensor:
    """[B, N, 2, H, W]: the mean of the flows towards both neighbours."""
    assert flow.backward is not None
    inner = (flow.forward[:, 1:] + flow.backward[:, :-1]) / 2
    return torch.cat([flow.forward[:, :1], inner, flow.backward[:, -1:]], 1)


@torch.no_grad()
def raft_flow(case: Case) -> Outputs:
    """A case of the system geomotion: every prediction of one pair, and the wrapper's flow."""
    raft = network(case, iterations=case.params["iterations"])
    kernel = case.params["smooth_kernel"]
    frames = [
        F.avg_pool2d(torch.from_numpy(case.inputs[name]), kernel, 1, kernel // 2) for name in ("frame1", "frame2")
    ]
    flow = raft(Clip(images=torch.stack(frames, 1))).forward[:, 0]
    fitted = raft.fitting.images(torch.cat(frames))
    if list(fitted.shape[-2:]) != case.params["network_size"]:
        raise NotCovered("the network's size is not the next multiple of 8")
    features, context = raft.encode(fitted)
    states = raft.updates(raft.correlate(features[:1], features[1:]), context)
    predictions = {f"iteration_{i}": raft.upsample(*state)[:1].numpy() for i, state in enumerate(states)}
    return {"flow": flow.numpy(), **predictions}


def flow_files(case: Case) -> Outputs:
    """The bytes of `.flo`, and of KITTI's encoding with truncation, as upstream writes it."""
    flow = field(case, "flow_file")[0].permute(1, 2, 0).contiguous().numpy()
    content = encode_flo(flow)
    kitti = encode_kitti(flow)
    if case.params["kitti_rounding"] == "truncate":
        kitti[..., :2] = 64 * flow + 2**15
    return {
        "flo_bytes": len(content),
        "flo_sha256": hashlib.sha256(content).hexdigest(),
        "flo_head_hex": content[:16].hex(),
        "kitti_uint16_rgb_sum": kitti.astype(np.int64).sum((0, 1)),
        "kitti_first_pixel": kitti[0, 0],
        "kitti_array_sha256_rgb_c_order_le": hashlib.sha256(kitti.astype("<u2").tobytes()).hexdigest(),
        "kitti_decoded_max_abs_error": float(np.abs(decode_kitti(kitti) - flow).max()),
    }


def flow_consistency(case: Case) -> Outputs:
    """The published forms of the forward-backward check."""
    forward = field(case, "flow_fw")
    backward = -forward + case.params["noise_scale"] * field(case, "flow_noise")
    fields = {"ij": (forward, backward), "ji": (backward, forward)}
    outputs: Outputs = {"flow_fw": forward, "flow_bw": backward}
    outputs["unimatch_warp_bwd_by_fwd"] = consistency.warp(backward, forward)
    for settings in case.params["unimatch"]:
        bounds = {"alpha": settings["alpha"], "beta": settings["beta"]}
        for name, direction in (("fwd", "ij"), ("bwd", "ji")):
            occluded = consistency.unimatch_occluded(*fields[direction], **bounds)
            outputs[f"unimatch_{name}_occ{settings['suffix']}"] = occluded.float()
    for settings in case.params["monst3r"]:
        valid = consistency.monst3r_valid(*fields[settings["direction"]], threshold=settings["threshold"])
        outputs[settings["output"]] = valid[:, None].float()
    outputs["dynamicverse_weights"] = consistency.dynamicverse_weights(forward, **case.params["dynamicverse"])
    return {name: np.asarray(value) for name, value in outputs.items()}


def flow_colors(case: Case) -> Outputs:
    """Colours in RAFT's and in Middlebury's normalisation; RAFT's clip drops negative motion, as published."""
    flow = field(case, "flow_vis")[0].permute(1, 2, 0).numpy()
    raft, middlebury = flow_to_rgb(flow, epsilon=RAFT_EPSILON), flow_to_rgb(flow)
    unknown = case.params["unknown"]
    with_hole = flow.copy()
    with_hole[slice(*unknown["rows"]), slice(*unknown["columns"])] = unknown["value"]
    return {
        "colorwheel": colour_wheel(),
        "raft_rgb": raft,
        "raft_bgr": raft[..., ::-1],
        "raft_rgb_clip5": flow_to_rgb(flow.clip(0, case.params["clip_flow"]), epsilon=RAFT_EPSILON),
        "middlebury_rgb": middlebury,
        "monst3r_rgb": middlebury,
        "middlebury_rgb_unknown": flow_to_rgb(with_hole),
    }


PROCEDURES = {
    "raft_forward": raft_forward,
    "geomotion_flow": geomotion_flow,
    "sea_raft_forward": sea_raft_forward,
    "gmflow_forward": gmflow_forward,
    "gmflow_inference": gmflow_inference,
    "flow_files": flow_files,
    "flow_consistency": flow_consistency,
    "flow_colors": flow_colors,
}
