"""Easi3R: what moves, from the attention of a pair network alone."""

import pytest
import torch

from motion4d.backbones.pairs import EncodedFrames, PairBackbone, PairPointmaps
from motion4d.reconstruct.attention_statistics import AttentionStatistics
from motion4d.reconstruct.clusters import cluster, cluster_means
from motion4d.reconstruct.dynamics_attention import AttentionDynamics
from motion4d.reconstruct.observe import observe
from motion4d.reconstruct.otsu import highest_threshold
from motion4d.reconstruct.pairs import complete
from tests.backbones.test_monst3r import tiny
from tests.reference.manifest import Case
from tests.reference.procedures.monst3r_dynamics import PROCEDURES
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)


class Looks(PairBackbone):
    """Looks at the moving tokens of a frame less, and from pair to pair differently; remembers how it was asked."""

    patch_size = 4
    token_channels = 3

    def __init__(self, moving: torch.Tensor, *, constant: bool = False) -> None:
        super().__init__()
        self.moving = moving.float()
        self.constant = constant
        self.masks: list[torch.Tensor] = []

    def encode(self, images):
        tokens = 5 * self.moving.flatten(1)[..., None].expand(-1, -1, 3) + 0.1 * torch.rand(
            4, 48, 3, generator=torch.Generator().manual_seed(0)
        )
        return EncodedFrames(tokens[: len(images)], (6, 8))

    def watch_attention(self, frames, pairs, watch, *, moving=None):
        for k, (i, j) in enumerate(pairs):
            sought = 1 - self.moving[j] + self.moving[j] * (0.4 * (k % 2))
            referred = self.moving[i] * torch.ones(6, 8)
            maps = (sought, referred) if not self.constant else (torch.ones(6, 8),) * 2
            watch([(i, j)], *(each[None, ..., None].repeat(1, 1, 1, 4) for each in maps))

    def decode_watched(self, frames, pairs, watch, *, moving=None):
        self.masks.append(moving)
        self.watch_attention(frames, pairs, watch)
        return self.decode(frames, pairs)

    def decode(self, frames, pairs):
        points, confidence = torch.zeros(len(pairs), 24, 32, 3), torch.ones(len(pairs), 24, 32)
        return PairPointmaps(points, confidence, points, confidence)


def moving_tokens() -> torch.Tensor:
    moving = torch.zeros(4, 6, 8, dtype=torch.bool)
    for k in range(4):
        moving[k, 2:5, 1 + k : 4 + k] = True
    return moving


def seen_by(backbone: Looks, frames: int = 4, **settings):
    dynamics = AttentionDynamics(clusters=4, **settings)
    return observe(torch.rand(frames, 3, 24, 32), complete(frames), backbone=backbone, dynamics=dynamics)


def test_what_is_looked_at_less_and_differently_moves():
    truth = moving_tokens()
    backbone = Looks(truth)
    found = seen_by(backbone).moving
    pixels = truth.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert (found & pixels).sum() > 0.7 * (found | pixels).sum()
    assert (backbone.masks[0] & truth).sum() == truth.sum()  # the second pass kept the moving tokens apart
    alone = seen_by(Looks(truth), second_pass=False)
    assert torch.equal(alone.moving, found)
    assert len(alone.maps.points_first) == 12


@pytest.mark.parametrize("frames", [2, 3])
def test_too_few_frames_or_even_attention_say_that_nothing_moves(frames, caplog):
    found = seen_by(Looks(moving_tokens(), constant=frames == 3), frames).moving
    assert found.shape == (frames, 24, 32)
    assert not found.any()
    assert ("says nothing of motion" in caplog.text) == (frames == 2)


@torch.no_grad()
def test_statistics_need_no_list_of_maps_and_the_order_of_pairs_does_not_matter():
    model, images, pairs = tiny(pairs_at_once=3), torch.rand(4, 3, 32, 48), complete(4)
    maps, sums, turned = [], AttentionStatistics(4), AttentionStatistics(4)
    frames = model.encode(images)
    model.watch_attention(frames, pairs, lambda part, first, _: maps.extend(zip(part, first, strict=True)))
    model.watch_attention(frames, pairs, sums)
    model.watch_attention(frames, pairs[::-1], turned)
    assert len(maps) == 12
    assert maps[0][1].shape == (2, 3, 4)
    of_one = torch.stack([each for (_, j), each in maps if j == 1])
    of_one[:, 0, 0] = (of_one[:, 0, 1] + of_one[:, 1, 0]) / 2
    assert torch.allclose(sums._sought.deviation[1], of_one.std(0), atol=1e-5)
    assert torch.allclose(sums.fused().dynamic, turned.fused().dynamic, atol=1e-3)


@torch.no_grad()
def test_watching_changes_nothing_and_masks_only_what_static_tokens_read():
    model, images, pairs = tiny(), torch.rand(3, 3, 32, 48), [(0, 1), (1, 2)]
    frames = model.encode(images)
    plain = model.decode(frames, pairs)
    nobody = torch.zeros(3, 2, 3, dtype=torch.bool)
    for moving in (None, nobody, ~nobody):  # moving queries read everything
        watched = model.decode_watched(frames, pairs, AttentionStatistics(3), moving=moving)
        assert torch.allclose(watched.points_second, plain.points_second, atol=1e-5)
    some = nobody.clone()
    some[1, 0, :2] = True
    changed = model.decode_watched(frames, pairs, AttentionStatistics(3), moving=some)
    assert not torch.allclose(changed.points_first[0], plain.points_first[0], atol=1e-5)


def test_clusters_part_what_is_apart():
    torch.manual_seed(0)
    features = torch.cat([torch.randn(40, 6) + 20 * k for k in range(4)])
    labels = cluster(features, 4, seed=1)
    assert [len(labels[40 * k : 40 * k + 40].unique()) for k in range(4)] == [1, 1, 1, 1]
    assert len(labels.unique()) == 4
    assert torch.equal(cluster_means(torch.tensor([0.0, 2.0, 5.0]), torch.tensor([1, 1, 0])), torch.tensor([1.0, 1, 5]))
    assert not cluster(torch.ones(5, 3), 4).any()


def test_the_threshold_parts_the_highest_class():
    torch.manual_seed(0)
    values = torch.cat([0.1 + 0.02 * torch.randn(1000), 0.5 + 0.02 * torch.randn(300), 0.9 + 0.02 * torch.randn(100)])
    assert 0.54 < highest_threshold(values) < 0.86
    assert not (torch.full((7,), 0.3) > highest_threshold(torch.full((7,), 0.3))).any()
