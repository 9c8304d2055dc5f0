"""Transformer parts: what RoPE depends on, equal results with and without autocast, training after inference."""

import pytest
import torch

from motion4d.layers.attention import Attention
from motion4d.layers.block import Block
from motion4d.layers.pixel_head import PixelHead
from motion4d.layers.rope import grid_positions, grid_rotary, rotary_at
from motion4d.layers.token_decoder import TokenDecoder
from motion4d.layers.vit import VisionTransformer, resize_position_embedding

CPU = torch.device("cpu")


def test_rope_scores_depend_on_the_offset_only():
    query, key = torch.randn(2, 1, 1, 1, 16)
    shift = torch.tensor([5, 2])

    def score(where: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        turned = [rotary_at(p[None], 16, 100.0).rotate(t) for p, t in ((where, query), (other, key))]
        return (turned[0] * turned[1]).sum()

    here, there = torch.tensor([3, 4]), torch.tensor([1, 7])
    assert torch.allclose(score(here, there), score(here + shift, there + shift), atol=1e-5)
    assert not torch.allclose(score(here, there), score(here, there + shift), atol=1e-3)


def test_positions_of_a_grid():
    positions = grid_positions(2, 3, 2, CPU)
    assert positions.tolist() == [[0, 0], [0, 0], [1, 1], [1, 2], [1, 3], [2, 1], [2, 2], [2, 3]]


def test_special_tokens_are_not_turned_and_positions_repeat_for_each_frame():
    rotary = grid_rotary(2, 3, 5, 8, 100.0, CPU)
    tokens = torch.randn(2, 4, 33, 8)  # 3 frames of 11 tokens
    turned = rotary.rotate(tokens)
    assert torch.equal(turned[:, :, :5], tokens[:, :, :5])
    assert torch.allclose(turned[:, :, 11:22], rotary.rotate(tokens[:, :, 11:22]))
    assert torch.allclose(turned.norm(dim=-1), tokens.norm(dim=-1), atol=1e-5)


def test_tables_are_cached_and_can_be_trained_through_after_inference():
    with torch.inference_mode():
        first = grid_rotary(3, 5, 1, 8, 77.0, CPU)
    tokens = torch.randn(1, 2, 16, 8, requires_grad=True)
    again = grid_rotary(3, 5, 1, 8, 77.0, CPU)
    assert again is first
    again.rotate(tokens).square().sum().backward()
    assert tokens.grad is not None


@pytest.mark.parametrize("qk_norm", [False, True])
def test_attention_is_softmax_attention(qk_norm):
    attention = Attention(16, 2, qk_norm=qk_norm)
    tokens = torch.randn(2, 5, 16)
    query, key, value = attention.qkv(tokens).view(2, 5, 3, 2, 8).permute(2, 0, 3, 1, 4)
    weights = (attention.q_norm(query) @ attention.k_norm(key).mT / 8**0.5).softmax(-1)
    expected = attention.proj((weights @ value).transpose(1, 2).reshape(2, 5, 16))
    assert torch.allclose(attention(tokens), expected, atol=1e-5)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="cannot be divided among 3"):
        Attention(16, 3)


def test_bf16_autocast_stays_close():
    block, rotary = Block(32, 2, qk_norm=True, layer_scale=0.1), grid_rotary(3, 4, 5, 16, 100.0, CPU)
    tokens = torch.randn(2, 17, 32)
    with torch.autocast("cpu", torch.bfloat16):
        rough = block(tokens, rotary)
    assert torch.allclose(rough.float(), block(tokens, rotary), atol=0.02)


def test_token_decoder_keeps_frames_apart():
    decoder = TokenDecoder(16, 32, 2, 4, 8)
    tokens = torch.randn(3, 5 + 6, 16)
    together = decoder(tokens, (2, 3))
    assert together.shape == (3, 11, 8)
    assert torch.allclose(together[1:2], decoder(tokens[1:2], (2, 3)), atol=1e-5)


def test_pixel_head_puts_features_at_their_pixels():
    head = PixelHead(4, 2, channels=3)
    tokens = torch.randn(1, 6, 4)
    maps = head(tokens, (2, 3))
    features = head.proj(tokens).view(1, 2, 3, 3, 2, 2)  # batch, row, column, channel, sub-row, sub-column
    assert maps.shape == (1, 3, 4, 6)
    assert torch.equal(maps[0, 2, 3, 4], features[0, 1, 2, 2, 1, 0])


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (8, 8)])
def test_vision_transformer_at_any_size(size):
    network = VisionTransformer(16, 1, 2, patch_size=8, registers=2, position_grid=4)
    tokens = network(torch.rand(2, 3, *size))
    assert tokens.shape == (2, size[0] * size[1] // 64, 16)


def test_position_embedding_is_kept_at_its_own_size_and_a_constant_stays_constant():
    stored = torch.randn(1, 1 + 16, 3)
    assert resize_position_embedding(stored, (4, 4)) is stored
    stored[:, 1:] = 0.7
    resized = resize_position_embedding(stored, (3, 9))
    assert torch.equal(resized[:, 0], stored[:, 0])
    assert torch.allclose(resized[:, 1:], torch.full((1, 27, 3), 0.7), atol=1e-5)
