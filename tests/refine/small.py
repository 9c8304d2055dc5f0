"""A SAM 2 of 1.5 M random parameters at 128x128 pixels: everything is there, nothing is known."""

from __future__ import annotations

import torch
import transformers
from torch import nn

SIDE = 128  # pixels


def small_network(seed: int = 0) -> nn.Module:
    """The network, in evaluation mode; an object is always thought present, so that masks have shapes."""
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=16,
        num_attention_heads=1,
        blocks_per_stage=[1, 2, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 4, 2],
        global_attention_blocks=[4],
        image_size=[SIDE, SIDE],
        window_positional_embedding_background_size=[2, 2],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
        fpn_hidden_size=128,
    )
    config = transformers.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=transformers.Sam2VideoPromptEncoderConfig(hidden_size=128, image_size=SIDE),
        mask_decoder_config=transformers.Sam2VideoMaskDecoderConfig(
            hidden_size=128, mlp_dim=64, num_attention_heads=2, iou_head_hidden_dim=128
        ),
        image_size=SIDE,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=64,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=64,
    )
    torch.manual_seed(seed)
    network = transformers.Sam2VideoModel(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)  # the initial weights are too small for frames to differ
        network.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(50.0)
    return network
