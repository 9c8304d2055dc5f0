"""Rounding once equals what autocast does each time."""

import pytest
import torch

from motion4d.backbones.vggt import VGGT
from motion4d.layers.precision import round_blocks
from motion4d.layers.token_decoder import TokenDecoder


def test_rounding_once_changes_nothing_under_autocast():
    network = TokenDecoder(16, 32, 2, 4, 8).requires_grad_(False)
    tokens = torch.randn(2, 5 + 6, 16)
    with torch.autocast("cpu", torch.bfloat16):
        before = network(tokens, (2, 3))
        round_blocks(network, torch.bfloat16)
        assert torch.equal(network(tokens, (2, 3)), before)
    assert network.blocks[0].mlp.fc1.weight.dtype == torch.bfloat16
    assert network.blocks[0].norm1.weight.dtype == torch.float32


def test_trainable_blocks_are_refused():
    with pytest.raises(ValueError, match="freeze the network"):
        round_blocks(TokenDecoder(16, 32, 1, 4, 8), torch.bfloat16)


def test_heads_that_run_outside_of_autocast_keep_float32():
    settings = {"encoder_depth": 1, "encoder_heads": 2, "attention_heads": 2, "camera_depth": 1, "camera_heads": 2}
    network = VGGT(dim=16, depth=2, head_layers=(0, 0, 1, 1), heads=["pose"], **settings).requires_grad_(False).eval()
    images = torch.rand(1, 2, 3, 28, 28)
    with torch.autocast("cpu", torch.bfloat16):
        before = network(images, heads=["pose"]).camera_to_world
        round_blocks(network, torch.bfloat16)
        assert torch.equal(network(images, heads=["pose"]).camera_to_world, before)
    assert network.aggregator.frame_blocks[0].mlp.fc1.weight.dtype == torch.bfloat16
    assert network.camera_head.trunk[0].mlp.fc1.weight.dtype == torch.float32
