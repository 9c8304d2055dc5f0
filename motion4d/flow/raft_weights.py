"""Published checkpoints of the RAFT family: the layouts of one network are told apart by their keys.

torchvision's names (`raft_large_C_T_SKHT_V2-*.pth`) are the names of our modules. princeton's (`raft-things.pth`, with
a `module.` prefix), SEA-RAFT's and UniMatch's call the same parts differently and are renamed; the norms of shortcuts,
which princeton and SEA-RAFT store twice, are dropped once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_FOREIGN = ("fnet.", "cnet.", "backbone.")  # only files with such keys are renamed

_RENAMED = (
    (r"^backbone\.trident_conv\.", "trident_conv."),
    (r"^(fnet|backbone)\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder\.layer\d\.\d\.)conv(\d)\.", r"\1convnormrelu\2.0."),
    (r"^(\w+_encoder\.layer\d\.0\.)bn3\.", r"\1downsample.1."),  # where a file keeps only the other name
    (r"^(\w+_encoder\.layer\d\.\d\.)(?:norm|bn)(\d)\.", r"\1convnormrelu\2.1."),
    (r"^(\w+_encoder\.)conv1\.", r"\1convnormrelu.0."),
    (r"^(\w+_encoder\.)(?:norm|bn)1\.", r"\1convnormrelu.1."),
    (r"^(\w+_encoder\.)(?:conv2|final_conv)\.", r"\1conv."),
    (r"^refine\.", "update_block."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])([12])\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (r"^(update_block\.mask|upsample_weight|upsampler)\.0\.", "mask_predictor.convrelu.0."),
    (r"^(update_block\.mask|upsample_weight|upsampler)\.2\.", "mask_predictor.conv."),
    (r"^flow_head\.0\.", "flow_head.conv1."),
    (r"^flow_head\.2\.", "flow_head.conv2."),
)


def to_torchvision_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of any layout (without `module.`) -> torchvision's names. Unknown keys pass unchanged."""
    if not any(key.startswith(_FOREIGN) for key in state):
        return dict(state)
    return {_rename(key): value for key, value in state.items() if not _is_twin(key, state)}


def _rename(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def _is_twin(key: str, state: Mapping[str, Tensor]) -> bool:
    """Is this the second name of a shortcut's norm, `layerN.0.norm3` or `bn3` (residual) or `norm4` (bottleneck)?"""
    twin = re.fullmatch(r"(?P<block>.*layer\d\.0)\.(?:norm|bn)(?P<number>[34])\.(?P<leaf>\w+)", key)
    if twin is None or f"{twin['block']}.downsample.1.{twin['leaf']}" not in state:
        return False
    last_convolution = 4 if f"{twin['block']}.conv3.weight" in state else 3
    return int(twin["number"]) == last_convolution
