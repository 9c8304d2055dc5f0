"""Published weights of MonST3R and DUSt3R: one network, two file formats.

`.pth` files hold {"model": ..., "args": ...} with the fusion's input convolutions stored under two names; the model
hub's safetensors files hold every tensor once. What a network must be for a file is read from the shapes of the file's
tensors: the constructor call that stands in `args` as text is never run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

HEAD_DIM = 64  # of every released model; the number of heads does not show in the weights
_SECOND_NAME = re.compile(r"\.scratch\.layer_rn\.\d+\.")  # layer_rn.K is layer{K+1}_rn again
_UNUSED = ("mask_token",)


def stored_once(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` without second names and without what the network never reads."""
    return {name: tensor for name, tensor in state.items() if name not in _UNUSED and not _SECOND_NAME.search(name)}


def settings_of(shapes: Mapping[str, Collection[int]]) -> dict[str, Any]:
    """Constructor arguments of the network whose tensors have these shapes (heads of 64 channels)."""
    sizes = {name: tuple(shape) for name, shape in shapes.items()}
    encoder_dim, _, patch_size, _ = sizes["patch_embed.proj.weight"]
    decoder_dim = sizes["decoder_embed.weight"][0]
    settings: dict[str, Any] = {
        "encoder_dim": encoder_dim,
        "encoder_depth": _blocks(sizes, "enc_blocks"),
        "encoder_heads": max(1, encoder_dim // HEAD_DIM),
        "decoder_dim": decoder_dim,
        "decoder_depth": _blocks(sizes, "dec_blocks"),
        "decoder_heads": max(1, decoder_dim // HEAD_DIM),
        "patch_size": patch_size,
        "mlp_ratio": sizes["enc_blocks.0.mlp.fc1.weight"][0] / encoder_dim,
        "linear_head": "downstream_head1.proj.weight" in sizes,
    }
    if not settings["linear_head"]:
        dense = "downstream_head1.dpt."
        settings["dpt_features"] = sizes[f"{dense}scratch.layer1_rn.weight"][0]
        settings["dpt_last_dim"] = sizes[f"{dense}head.0.weight"][0]
        settings["dpt_layer_dims"] = tuple(sizes[f"{dense}act_postprocess.{k}.0.weight"][0] for k in range(4))
    return settings


def _blocks(names: Collection[str], stack: str) -> int:
    return 1 + max(int(name.split(".")[1]) for name in names if name.startswith(f"{stack}."))
