"""What every layer of a trunk makes of the frames: the mean over channels of its patch tokens, as maps.

PAGE-4D (2025) draws VGGT's layers so, the tokens after attention inside each frame beside those after attention over
all frames. Each block's output is reduced to maps the moment it is there, so no layer's tokens are kept.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.clip import check_shape


@dataclass(frozen=True)
class FeatureMaps:
    """scope: "frame" or "global", what the block attended over; layer: the block's number among those of its scope.

    values: [B, N, h, w] float32, one per patch.
    """

    scope: str
    layer: int
    values: Tensor


@torch.no_grad()
def feature_maps(backbone: Backbone, images: Tensor) -> list[FeatureMaps]:
    """The maps of all blocks in the order in which they run; images as for `backbone`, heads are not computed.

    A CapabilityError for a backbone whose trunk has no such blocks.
    """
    sizes = check_shape("images", images, "B N 3 H W")
    patch, special = backbone.patch_size, backbone.special_tokens
    grid = (sizes["B"], sizes["N"], sizes["H"] // patch, sizes["W"] // patch)
    found: list[FeatureMaps] = []

    def keep(scope: str, layer: int, tokens: Tensor) -> None:
        patches = tokens.reshape(grid[0] * grid[1], special + grid[2] * grid[3], -1)[:, special:]
        found.append(FeatureMaps(scope, layer, patches.float().mean(-1).reshape(grid)))

    with ExitStack() as hooks:
        numbers = {"frame": 0, "global": 0}
        for scope, block in backbone.attention_blocks:
            hooks.callback(block.register_forward_hook(_hook(keep, scope, numbers[scope])).remove)
            numbers[scope] += 1
        backbone(images, taps=backbone.trunk_taps[-1:])
    return found


def _hook(keep: Any, scope: str, layer: int) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        keep(scope, layer, output)

    return hook
