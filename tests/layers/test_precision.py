"""Rounding once equals what autocast does each time."""

import pytest
import torch

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
