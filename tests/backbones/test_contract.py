"""The contract of a backbone, proven for every option of conf/backbone that is small enough for a laptop."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.backbones.pairs import PairBackbone

CONF = Path(__file__).parents[2] / "conf" / "backbone"
SMALL = 20_000_000  # parameters


def build(name: str, device: str = "cpu") -> Backbone:
    with initialize_config_dir(str(CONF.parent), version_base=None), torch.device(device):
        return instantiate(compose(overrides=[f"+backbone={name}"]).backbone)


OPTIONS = sorted(path.stem for path in CONF.glob("*.yaml"))
NETWORKS = {name: build(name, "meta") for name in OPTIONS}
SMALL_NETWORKS = {name: one for name, one in NETWORKS.items() if sum(p.numel() for p in one.parameters()) < SMALL}
SMALL_PAIRS = [name for name, network in SMALL_NETWORKS.items() if isinstance(network, PairBackbone)]
SMALL_OPTIONS = [name for name in SMALL_NETWORKS if name not in SMALL_PAIRS]  # those that read whole clips


@pytest.fixture(params=SMALL_OPTIONS)
def backbone(request) -> Backbone:
    return build(request.param).eval()


def images(backbone: Backbone, batch: int = 2, frames: int = 3) -> torch.Tensor:
    return torch.rand(batch, frames, 3, 2 * backbone.patch_size, 3 * backbone.patch_size)


def test_there_is_a_small_option_of_either_kind():
    assert SMALL_PAIRS
    assert SMALL_OPTIONS


@torch.no_grad()
def test_every_tap_has_the_promised_shape(backbone):
    answer = backbone(images(backbone), taps=backbone.available_taps)
    assert {name: tuple(tap.shape) for name, tap in answer.tokens.items()} == {
        name: (2, 3, backbone.special_tokens + 6, width) for name, width in backbone.available_taps.items()
    }


@torch.no_grad()
def test_only_what_was_asked_for_is_there(backbone):
    tap = next(iter(backbone.available_taps))
    answer = backbone(images(backbone), taps=[tap])
    assert list(answer.tokens) == [tap]
    assert answer.camera_to_world is None
    assert answer.points_camera is None
    assert answer.confidence is None


@torch.no_grad()
def test_batch_items_do_not_mix(backbone):
    clip, taps = images(backbone), list(backbone.available_taps)
    together, alone = backbone(clip, taps=taps), backbone(clip[1:], taps=taps)
    for tap in taps:
        assert torch.allclose(together.tokens[tap][1:], alone.tokens[tap], atol=1e-4)


def test_it_trains_after_it_was_used_for_inference(backbone):
    clip, tap = images(backbone), list(backbone.available_taps)[-1]
    with torch.inference_mode():
        backbone(clip, taps=[tap])
    backbone(clip, taps=[tap]).tokens[tap].square().mean().backward()
    gradients = [parameter.grad for parameter in backbone.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_what_it_lacks_is_a_capability_error(backbone):
    with pytest.raises(CapabilityError, match="has no tap no_such_tap"):
        backbone(images(backbone), taps=["no_such_tap"])
    with pytest.raises(CapabilityError, match="has no head no_such_head"):
        backbone(images(backbone), heads=["no_such_head"])


def test_sizes_off_the_patch_grid_are_refused(backbone):
    with pytest.raises(ValueError, match=f"multiples of {backbone.patch_size}"):
        backbone(torch.rand(1, 1, 3, backbone.patch_size + 1, backbone.patch_size))
    with pytest.raises(ValueError, match="images must have the shape"):
        backbone(torch.rand(1, 3, backbone.patch_size, backbone.patch_size))


@pytest.mark.parametrize("name", SMALL_PAIRS)
@torch.no_grad()
def test_a_pair_backbone_encodes_once_and_decodes_any_pairs(name):
    """Pairs do not mix, answers are positive where they must be, and sizes off the grid are refused."""
    network = build(name).eval()
    height, width = 2 * network.patch_size, 3 * network.patch_size
    frames = network.encode(torch.rand(3, 3, height, width))
    assert tuple(frames.tokens.shape) == (3, 6, network.token_channels)
    pairs = [(0, 1), (2, 0), (1, 1)]
    together = network.decode(frames, pairs)
    for points, confidence in (
        (together.points_first, together.confidence_first),
        (together.points_second, together.confidence_second),
    ):
        assert tuple(points.shape) == (3, height, width, 3)
        assert tuple(confidence.shape) == (3, height, width)
        assert (confidence > 0).all()
    alone = network.decode(frames, pairs[1:2])
    assert torch.allclose(together.points_second[1:2], alone.points_second, atol=1e-4)
    with pytest.raises(ValueError, match="no pairs"):
        network.decode(frames, [])
    with pytest.raises(ValueError, match=f"multiples of {network.patch_size}"):
        network.encode(torch.rand(1, 3, height + 1, width))


@pytest.mark.parametrize("wanted", ["available_heads", "available_taps", "trunk_taps"])
@pytest.mark.parametrize("name", SMALL_PAIRS)
def test_a_pair_backbone_says_that_it_does_not_read_clips(name: str, wanted: str) -> None:
    with pytest.raises(CapabilityError, match="reads pairs of frames, .* belong to model=pairs"):
        getattr(NETWORKS[name], wanted)
