"""Maps of all layers are the means of the tokens that the taps give, for every small backbone."""

from __future__ import annotations

import pytest
import torch

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.feature_maps import feature_maps
from motion4d.backbones.pi3 import Pi3
from motion4d.backbones.vggt import VGGT
from tests.backbones.test_contract import SMALL_OPTIONS, build
from tests.models.toy import ToyBackbone


def expected(backbone: Backbone, images: torch.Tensor) -> dict[tuple[str, int], torch.Tensor]:
    """(scope, layer) -> mean over channels of the patch tokens [B, N, h*w], from the taps."""
    tokens = backbone(images, taps=backbone.trunk_taps).tokens
    patches = [tokens[tap][:, :, backbone.special_tokens :] for tap in backbone.trunk_taps]
    if isinstance(backbone, Pi3):
        return {("global" if k % 2 else "frame", k // 2): one.mean(-1) for k, one in enumerate(patches)}
    assert isinstance(backbone, VGGT)
    frames, everything = zip(*(one.chunk(2, dim=-1) for one in patches), strict=True)
    halves = {"frame": frames, "global": everything}
    return {(scope, k): half.mean(-1) for scope, layers in halves.items() for k, half in enumerate(layers)}


@torch.no_grad()
@pytest.mark.parametrize("option", SMALL_OPTIONS)
def test_maps_are_means_of_the_taps(option: str) -> None:
    backbone = build(option).eval()
    images = torch.rand(2, 3, 3, 2 * backbone.patch_size, 3 * backbone.patch_size)
    maps = feature_maps(backbone, images)
    wanted = expected(backbone, images)
    assert {(one.scope, one.layer) for one in maps} == set(wanted)
    for one in maps:
        torch.testing.assert_close(one.values.flatten(2), wanted[one.scope, one.layer], atol=1e-5, rtol=1e-5)
    assert all(not block._forward_hooks for _, block in backbone.attention_blocks)


def test_a_network_without_such_blocks_says_so() -> None:
    with pytest.raises(CapabilityError, match="ToyBackbone has no blocks that attend inside frames"):
        feature_maps(ToyBackbone(), torch.rand(1, 2, 3, 16, 16))
