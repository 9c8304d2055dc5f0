"""Storing the weights of transformer blocks in half precision, for networks that only run under autocast.

Autocast rounds every float32 weight anew in every forward. Rounding once gives the same numbers bit for bit, in half
the memory. Norms, layer scales, embeddings and heads keep float32.
"""

from __future__ import annotations

import torch
from torch import nn

from motion4d.layers.block import Block


def round_blocks(network: nn.Module, dtype: torch.dtype) -> None:
    """Turn the linear layers of all blocks in `network` to `dtype`, in place; run it under autocast to that dtype.

    Only for frozen networks: an optimizer cannot take small steps on rounded weights.
    """
    for block in network.modules():
        if not isinstance(block, Block):
            continue
        if any(parameter.requires_grad for parameter in block.parameters()):
            raise ValueError("rounded weights cannot be trained in small steps; freeze the network before rounding it")
        for layer in block.modules():
            if isinstance(layer, nn.Linear):
                layer.to(dtype)
