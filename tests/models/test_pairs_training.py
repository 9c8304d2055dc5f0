"""Training pair networks: pairs both ways, images encoded once, what is frozen, feed-forward networks."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from motion4d.backbones.base import CapabilityError
from motion4d.backbones.constant import ConstantGeometry
from motion4d.backbones.monst3r import Monst3r
from motion4d.backbones.vggt import VGGT
from motion4d.clip import Clip
from motion4d.framing import Native
from motion4d.losses import pairs
from motion4d.losses.compose import WeightedSum
from motion4d.losses.pair_truth import in_first_camera
from motion4d.models.pairs_training import TrainablePairs
from tests.models.test_geometry_training import SMALL

LOSS = WeightedSum(
    {f"conf_{k + 1}": partial(pairs.confidence, image=k) for k in (0, 1)},
    truth=in_first_camera,
)
ENCODER = ("backbone.patch_embed.*", "backbone.enc_blocks.*")


def small_network(**settings) -> Monst3r:
    """A network that learns in a blink."""
    torch.manual_seed(1)
    sizes = {"encoder_dim": 32, "encoder_depth": 1, "encoder_heads": 2, "decoder_dim": 32, "decoder_depth": 2}
    widths = {"dpt_features": 8, "dpt_last_dim": 8, "dpt_layer_dims": (8, 8, 8, 8)}
    return Monst3r(**sizes, decoder_heads=2, **widths, **settings)


def pair_clip(batch: int = 2, frames: int = 2) -> Clip:
    """Random images of a random relief."""
    torch.manual_seed(2)
    poses = torch.eye(4).repeat(batch, frames, 1, 1)
    poses[:, :, 0, 3] = torch.arange(frames) * 0.2
    intrinsics = torch.tensor([[40.0, 0, 23.5], [0, 40, 15.5], [0, 0, 1]]).expand(batch, frames, 3, 3)
    return Clip(
        torch.rand(batch, frames, 3, 32, 48),
        depth=1 + torch.rand(batch, frames, 32, 48),
        camera_to_world=poses,
        intrinsics=intrinsics,
    )


def test_every_pair_stands_in_the_batch_both_ways_and_every_image_is_encoded_once() -> None:
    model = TrainablePairs(small_network(), Native(multiple=16)).eval()
    encoded = []
    model.backbone.enc_blocks[0].register_forward_hook(lambda module, inputs, out: encoded.append(len(out)))
    clip = pair_clip(batch=2, frames=3)
    with torch.no_grad():
        said = model(clip)
        assert sum(encoded) == 6
        assert said.points_first.shape == (8, 32, 48, 3)
        alone = model.backbone.decode(model.backbone.encode(clip.images[1]), [(2, 1)])
    for name in ("points_first", "confidence_first", "points_second", "confidence_second"):
        torch.testing.assert_close(getattr(said, name)[7:], getattr(alone, name), atol=1e-5, rtol=1e-4)


def test_a_frozen_encoder_has_no_gradient_and_all_that_is_trained_has_one() -> None:
    model = TrainablePairs(small_network(), Native(multiple=16), frozen=ENCODER)
    clip = pair_clip()
    LOSS(model(clip), clip)["total"].backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {name for name, p in model.named_parameters() if p.grad is not None}
    assert {name.split(".")[1] for name in trained} == {
        *("enc_norm", "decoder_embed", "dec_blocks", "dec_blocks2", "dec_norm"),
        *("downstream_head1", "downstream_head2"),
    }
    with pytest.raises(ValueError, match=r"model\.frozen: no parameter is called backbone\.encoder\.\*"):
        TrainablePairs(small_network(), Native(), frozen=["backbone.encoder.*"])


@pytest.mark.parametrize(
    "backbone",
    [small_network, lambda: small_network(linear_head=True), lambda: VGGT(**SMALL, heads=("pose", "depth"))],
    ids=["dpt", "linear", "feed_forward"],
)
def test_pairs_learn(backbone) -> None:
    model = TrainablePairs(backbone(), Native(multiple=16))
    clip = pair_clip()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    totals = []
    for _ in range(12):
        optimizer.zero_grad()
        total = LOSS(model(clip), clip)["total"]
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < totals[0] - 0.1


def test_checkpointed_gradients_are_the_same() -> None:
    clip = pair_clip()
    found = []
    for checkpointing in (False, True):
        model = TrainablePairs(small_network(), Native(multiple=16), gradient_checkpointing=checkpointing)
        LOSS(model(clip), clip)["total"].backward()
        found.append(model.backbone.patch_embed.proj.weight.grad)
    torch.testing.assert_close(found[0], found[1])


def test_a_feed_forward_network_says_of_pairs_what_it_says_of_the_clip() -> None:
    clip = pair_clip(batch=1, frames=3)
    said = TrainablePairs(ConstantGeometry(), Native())(clip)
    assert (said.points_first == said.points_second).all()
    assert (said.points_first[..., 2] == 1).all()
    with pytest.raises(CapabilityError, match="pairs are trained on the heads pose, depth, confidence"):
        TrainablePairs(VGGT(**SMALL, heads=("pose",)), Native())


def test_a_single_frame_is_no_pair() -> None:
    with pytest.raises(ValueError, match="a pair needs two frames"):
        TrainablePairs(small_network(), Native())(pair_clip(frames=1))
