"""The networks of SAM 2 and 2.1 (Ravi et al., 2024) at their published sizes, as `transformers` implements them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.io.weights import WeightsError

IMAGE_SIZE = 1024  # pixels, published
_POINTER_TIMES = "temporal_positional_encoding_projection_layer.weight"  # SAM 2.1 has both, SAM 2.0 has none of them
_OCCLUSION = "occlusion_spatial_embedding_parameter"
_FIRST_NORM = re.compile(r"vision_encoder\.backbone\.blocks\.\d+\.layer_norm1\.weight")


@dataclass(frozen=True)
class Hiera:
    """An image encoder: width and heads of the first stage (doubled by each next), blocks per stage, windows."""

    width: int
    heads: int
    blocks: tuple[int, int, int, int]
    global_blocks: tuple[int, int, int]
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    background: int = 7  # side of the table of positions


SIZES = {
    "tiny": Hiera(96, 1, (1, 2, 7, 2), (5, 7, 9)),
    "small": Hiera(96, 1, (1, 2, 11, 2), (7, 10, 13)),
    "base_plus": Hiera(112, 2, (2, 3, 16, 3), (12, 16, 20), background=14),
    "large": Hiera(144, 2, (2, 6, 36, 4), (23, 33, 43), windows=(8, 4, 16, 8)),
}


def build_network(
    size: Hiera, *, image_size: int = IMAGE_SIZE, pointer_times: bool = True, occlusion: bool = True
) -> nn.Module:
    """A `Sam2VideoModel` with random weights. pointer_times, occlusion: what SAM 2.1 has and SAM 2.0 has not.

    image_size: side of the square that every frame is resized to, in pixels; a multiple of 32.
    """
    if image_size < 32 or image_size % 32:
        raise ValueError(f"image_size must be a multiple of 32 pixels, not {image_size}")
    transformers = import_transformers()
    widths = [size.width << stage for stage in range(4)]
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=size.width,
        num_attention_heads=size.heads,
        image_size=[image_size, image_size],
        blocks_per_stage=list(size.blocks),
        embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[size.heads << stage for stage in range(4)],
        window_size_per_stage=list(size.windows),
        global_attention_blocks=list(size.global_blocks),
        window_positional_embedding_background_size=[size.background, size.background],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=widths[::-1],
        backbone_feature_sizes=[[image_size // stride] * 2 for stride in (4, 8, 16)],
    )
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=transformers.Sam2VideoPromptEncoderConfig(image_size=image_size),
        image_size=image_size,
        memory_attention_rope_feat_sizes=[image_size // 16] * 2,
        enable_temporal_pos_encoding_for_object_pointers=pointer_times,
        enable_occlusion_spatial_embedding=occlusion,
    )
    return transformers.Sam2VideoModel(config).eval()


def network_for(state: Mapping[str, Tensor], *, image_size: int, source: object) -> nn.Module:
    """The network whose weights these are (names of transformers), recognised by shapes; the weights are not loaded.

    source: what an error calls the weights.
    """
    patches = state.get("vision_encoder.backbone.patch_embed.projection.weight")
    count = sum(bool(_FIRST_NORM.fullmatch(name)) for name in state)
    for size in SIZES.values():
        if patches is not None and (size.width, sum(size.blocks)) == (len(patches), count):
            times, occlusion = _POINTER_TIMES in state, _OCCLUSION in state
            return build_network(size, image_size=image_size, pointer_times=times, occlusion=occlusion)
    raise WeightsError(f"{source} is no SAM 2 of a published size ({', '.join(SIZES)})")


def with_shared_positions(network: Any) -> Any:
    """The same network, whose sine tables are made once, in float32 as published: under autocast transformers would
    round their angles to bf16, and it makes them anew for every frame.
    """
    for part in (network.vision_encoder.neck, network.memory_encoder):
        part.position_encoding = _Positions(part.position_encoding)
    return network


class _Positions(nn.Module):
    """Stands where a network makes its sine tables [1, C, H, W]."""

    def __init__(self, make: nn.Module) -> None:
        super().__init__()
        self._make = make
        self._known: dict[tuple[tuple[int, ...], torch.device], Tensor] = {}

    def forward(self, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
        """The table for features of this shape, in float32 whatever their precision."""
        key = (tuple(shape), device)
        if key not in self._known:
            self._known[key] = self._make(shape, device, torch.float32)
        return self._known[key]


def import_transformers() -> ModuleType:
    """`transformers`, or an ImportError that names the extra."""
    try:
        import transformers
    except ImportError as error:
        raise ImportError('refine=sam2 needs transformers: pip install -e ".[sam2]"') from error
    return transformers
