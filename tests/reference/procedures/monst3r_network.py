"""MonST3R's network, its files and its preprocessing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from motion4d.backbones.monst3r import Monst3r
from motion4d.backbones.monst3r_weights import stored_once
from motion4d.backbones.pairs import PairPointmaps
from motion4d.framing import LongSide, ShortSide
from motion4d.io.weights import load_strict
from motion4d.reconstruct import pairs as graphs
from tests.reference.manifest import Case
from tests.reference.rules import read_json

Outputs = dict[str, Any]
FIELDS = ("pts3d", "conf", "pts3d_in_other_view", "conf_in_other_view")


def build(model: dict[str, Any]) -> Monst3r:
    """The network of a case's constructor settings, on the meta device."""
    dpt = model.get("dpt", {})
    widths = {
        ours: dpt[theirs]
        for ours, theirs in (
            ("dpt_features", "features"),
            ("dpt_last_dim", "last_dim"),
            ("dpt_layer_dims", "layer_dims"),
        )
        if dpt
    }
    with torch.device("meta"):
        return Monst3r(
            encoder_dim=model["enc_embed_dim"],
            encoder_depth=model["enc_depth"],
            encoder_heads=model["enc_num_heads"],
            decoder_dim=model["dec_embed_dim"],
            decoder_depth=model["dec_depth"],
            decoder_heads=model["dec_num_heads"],
            patch_size=model["patch_size"],
            mlp_ratio=model["mlp_ratio"],
            linear_head=model["head_type"] == "linear",
            **widths,
        )


_last_network: dict[str, Monst3r] = {}  # the full-size cases share one network of 2.3 GB


def network(case: Case) -> Monst3r:
    """The case's network with its seeded weights, loaded strictly."""
    key = json.dumps([str(case.folder), case.params["model"], case.raw["weights"]], sort_keys=True)
    if key not in _last_network:
        _last_network.clear()
        model = build(case.params["model"]).eval()
        state = {name: torch.from_numpy(value) for name, value in case.weight_items()}
        load_strict(model, stored_once(state), source=case.name, assign=True)
        _last_network[key] = model
    return _last_network[key]


@torch.no_grad()
def forward(case: Case) -> Outputs:
    """Pointmaps of each entry; portrait images that are stored landscape are turned before and after."""
    model = network(case)
    views = [torch.from_numpy(case.inputs[name]) for name in ("view1", "view2")]
    shapes = [case.params["true_shape1"], case.params["true_shape2"]]
    entries = [_entry(model, [view[k : k + 1] for view in views], [s[k] for s in shapes]) for k in range(len(views[0]))]
    outputs = {name: torch.cat([entry[name] for entry in entries]) for name in FIELDS}
    if case.params["taps"]:
        first, second = (model.encode((view + 1) / 2) for view in views)
        lists = model.decode_tokens(first, second)
        outputs |= {"enc1": first.tokens, "enc2": second.tokens}
        outputs |= {f"dec1_{k}": tokens for k, tokens in enumerate(lists.first)}
        outputs |= {f"dec2_{k}": tokens for k, tokens in enumerate(lists.second)}
    return _numpy(outputs)


@torch.no_grad()
def forward_symmetric(case: Case) -> Outputs:
    """Both directions of one pair; each image is encoded once."""
    model = network(case)
    images = torch.cat([torch.from_numpy(case.inputs[name]) for name in ("image_a", "image_b")])
    return _numpy(_named(model.decode(model.encode((images + 1) / 2), [(0, 1), (1, 0)])))


def checkpoint_keys(case: Case) -> Outputs:
    """What the loader would say about a file with the manifest's names and shapes."""
    manifest = {name: torch.empty(shape, device="meta") for name, shape in read_json(case.inputs["manifest"]).items()}
    wanted = build(case.params["model"]).state_dict()
    state = stored_once(manifest)
    unused = sum(tensor.numel() for name, tensor in manifest.items() if name == "mask_token")
    return {
        "missing": sorted(set(wanted) - set(state)),
        "unexpected": sorted(set(state) - set(wanted)),
        "wrong_shape": sorted(name for name in set(state) & set(wanted) if state[name].shape != wanted[name].shape),
        "parameters": sum(tensor.numel() for tensor in state.values()) + unused,
    }


def pair_graphs(case: Case) -> Outputs:
    """The pairs of every graph, sorted."""
    frames = case.params["frames"]
    return {name: sorted(_graph(wanted, frames)) for name, wanted in case.params["graphs"].items()}


def _graph(wanted: dict[str, Any], frames: int) -> graphs.Pairs:
    """A published scene graph: "swinstride-5-noncyclic" and the like."""
    kind, *numbers = wanted["graph"].removesuffix("-noncyclic").split("-")
    cyclic = not wanted["graph"].endswith("noncyclic")
    number = int(numbers[0]) if numbers else None
    symmetric = frames == 2 or (wanted["symmetrize"] and kind != "oneref" and (kind, number) != ("swin", 1))
    if kind == "complete":
        pairs = graphs.complete(frames, symmetric=symmetric)
    elif kind == "oneref":
        pairs = graphs.star(frames, reference=number or 0, itself=wanted["self_pairs"], symmetric=symmetric)
    elif kind == "logwin":
        pairs = graphs.logarithmic(frames, window=number or 3, cyclic=cyclic, symmetric=symmetric)
    else:
        first, step = {"swin": (1, 1), "swinstride": (1, 2), "swin2stride": (1, 3), "swinskip_start": (2, 1)}[kind]
        pairs = graphs.sliding(frames, window=number or 3, first=first, step=step, cyclic=cyclic, symmetric=symmetric)
    if wanted["prefilter"]:
        distance, cyclic = int(wanted["prefilter"][3:]), wanted["prefilter"].startswith("cyc")
        pairs = graphs.closer_than(pairs, distance, frames=frames, cyclic=cyclic)
    return pairs


def preprocess_size(case: Case) -> Outputs:
    """[W, H] after each of the settings."""
    sizes = []
    for settings in case.params["settings"]:
        height, width = _rule(settings)(case.params["height"], case.params["width"]).size
        sizes.append([width, height])
    return {"sizes": sizes}


def preprocess_pixels(case: Case) -> Outputs:
    """One image, rounded to 8 bits."""
    block = case.params["block"]
    image = case.inputs["image"]
    height, width = image.shape[:2]
    coarse = image[::block, ::block].repeat(block, 0).repeat(block, 1)[:height, :width]
    pixels = torch.from_numpy(coarse).permute(2, 0, 1).float() / 255
    framed = _rule(case.params)(height, width).images(pixels)
    return {"image": (255 * framed).round().permute(1, 2, 0).numpy()}


def _rule(settings: dict[str, Any]) -> LongSide | ShortSide:
    if settings["size"] == 224:
        return ShortSide(224, crop=settings["crop"])
    return LongSide(settings["size"], crop=settings["crop"], square=settings["square_ok"])


def _entry(model: Monst3r, views: list[Tensor], true_shapes: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    stored = [tuple(view.shape[-2:]) != tuple(shape) for view, shape in zip(views, true_shapes, strict=True)]
    turned = [view.mT if turn else view for view, turn in zip(views, stored, strict=True)]
    said = _named(model.pointmaps(*(model.encode((view + 1) / 2) for view in turned)))
    for name, turn in zip(FIELDS, (stored[0], stored[0], stored[1], stored[1]), strict=True):
        said[name] = said[name].transpose(1, 2) if turn else said[name]
    return said


def _named(maps: PairPointmaps) -> dict[str, Tensor]:
    fields = (maps.points_first, maps.confidence_first, maps.points_second, maps.confidence_second)
    return dict(zip(FIELDS, fields, strict=True))


def _numpy(outputs: dict[str, Tensor]) -> Outputs:
    return {name: value.detach().numpy() for name, value in outputs.items()}


PROCEDURES = {
    "forward": forward,
    "forward_symmetric": forward_symmetric,
    "checkpoint_keys": checkpoint_keys,
    "pair_graphs": pair_graphs,
    "preprocess_size": preprocess_size,
    "preprocess_pixels": preprocess_pixels,
}
