"""The convolutional encoder: tokens row by row, one per patch; it takes the place of the ViT in VGGT."""

from __future__ import annotations

import torch

from motion4d.backbones.vggt import VGGT
from motion4d.layers.conv_encoder import ConvEncoder


def test_tokens_are_the_patches_row_by_row() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder((8, 16, 24))
    images = torch.rand(2, 3, 32, 48)
    tokens = encoder(images)
    assert (encoder.patch_size, tokens.shape) == (8, (2, 4 * 6, 24))
    changed = images.clone()
    changed[1, :, 16:24, 40:48] += 0.2  # patch of row 2, column 5
    moved = (encoder(changed) - tokens).abs().sum(-1)
    assert not moved[0].any()
    assert moved[1].argmax() == 2 * 6 + 5


def test_vggt_stands_on_it() -> None:
    network = VGGT(
        dim=32,
        encoder=ConvEncoder((8, 16, 32)),
        depth=4,
        attention_heads=2,
        camera_depth=1,
        camera_heads=2,
        head_layers=(0, 1, 2, 3),
        head_widths=(8, 8, 8, 8),
        head_features=8,
        patch_size=8,
        heads=("pose", "depth"),
    )
    geometry = network(torch.rand(1, 2, 3, 16, 24), heads=("pose", "depth"), taps=("encoder",))
    assert geometry.depth is not None
    assert geometry.depth.shape == (1, 2, 16, 24)
    assert geometry.tokens["encoder"].shape == (1, 2, 5 + 6, 32)
