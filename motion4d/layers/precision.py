"""Storing the weights of transformer blocks in half precision, for networks that only run under autocast.

Autocast rounds every float32 weight anew in every forward. Rounding once gives the same numbers bit for bit, in half
the memory. Norms, layer scales, embeddings and heads keep float32; so does everything in a module that runs outside of
autocast and says so by an attribute `keeps_float32`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from motion4d.layers.block import Block


def round_blocks(network: nn.Module, dtype: torch.dtype) -> None:
    """Turn the linear layers of all blocks in `network` to `dtype`, in place; run it under autocast to that dtype.

    Only for frozen networks: an optimizer cannot take small steps on rounded weights.
    """
    for block in _blocks(network):
        if any(parameter.requires_grad for parameter in block.parameters()):
            raise ValueError("rounded weights cannot be trained in small steps; freeze the network before rounding it")
        for layer in block.modules():
            if isinstance(layer, nn.Linear):
                layer.to(dtype)


def _blocks(network: nn.Module) -> Iterator[Block]:
    """All blocks but those of modules that keep float32."""
    if isinstance(network, Block):
        yield network
    elif not getattr(network, "keeps_float32", False):
        for child in network.children():
            yield from _blocks(child)
