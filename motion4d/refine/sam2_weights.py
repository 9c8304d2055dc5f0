"""Published files of SAM 2: the original `.pt` layout, renamed to that of `transformers`, and its own folders.

Any size of SAM 2.0 and 2.1 is recognised by its shapes. The weights are Apache-2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from motion4d.io.weights import load_strict, read_state_dict
from motion4d.refine.sam2_network import network_for

_ORIGINAL = "sam_mask_decoder."  # only files with such keys are renamed

_MLP = r"(iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.\d|object_pointer_proj)\.layers"
_RENAMED = (
    (r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^image_encoder\.trunk\.patch_embed\.proj\.", "vision_encoder.backbone.patch_embed.projection."),
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix$", ".shared_embedding.positional_embedding"),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"\.mask_downsampler\.encoder\.12\.", ".mask_downsampler.final_conv."),
    *((rf"\.mask_downsampler\.encoder\.{3 * k}\.", f".mask_downsampler.layers.{k}.conv.") for k in range(4)),
    *((rf"\.mask_downsampler\.encoder\.{3 * k + 1}\.", f".mask_downsampler.layers.{k}.layer_norm.") for k in range(4)),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.gamma$", ".scale"),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
    (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
    (rf"{_MLP}\.0\.", r"\1.proj_in."),
    (rf"{_MLP}\.1\.", r"\1.layers.0."),
    (rf"{_MLP}\.2\.", r"\1.proj_out."),
    (r"\.norm(\d|_final_attn)?\.", r".layer_norm\1."),
    (r"\.out_proj\.", ".o_proj."),
)
_POINT_KINDS = tuple(f"prompt_encoder.point_embeddings.{kind}.weight" for kind in range(4))
_POSITIONS = ("prompt_encoder.shared_embedding.positional_embedding", "shared_image_embedding.positional_embedding")


def read_network(path: str | Path, *, image_size: int) -> nn.Module:
    """The SAM 2 in this file (or folder of transformers), at frames of `image_size`; strict, an error says what is odd.

    By convention files lie in WEIGHTS/NAME/, where `python -m prepare.weights NAME` puts them.
    """
    path = Path(path)
    file = path / "model.safetensors" if path.is_dir() else path
    state = to_transformers_layout(read_state_dict(file, prepare=path.parent.name))
    network = network_for(state, image_size=image_size, source=path)
    load_strict(network, state, source=path)
    return network


def to_transformers_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of either layout -> transformers' names. Unknown keys pass unchanged."""
    named = dict(state)
    if any(key.startswith(_ORIGINAL) for key in state):
        named = {_rename(key): value for key, value in state.items()}
        kinds = [named.pop(name) for name in _POINT_KINDS if name in named]
        if kinds:
            named["prompt_encoder.point_embed.weight"] = torch.cat(kinds)
    for name, twin in (_POSITIONS, _POSITIONS[::-1]):  # one table under two names, of which a file may lack one
        if name in named:
            named.setdefault(twin, named[name])
    return named


def _rename(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key
