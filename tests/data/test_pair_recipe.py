"""MonST3R's training data: which pairs an epoch has, in which batches, and how their frames are shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motion4d.clip import Clip
from motion4d.data.epoch_mix import EpochMix
from motion4d.data.pair_views import PairViews, fitted
from motion4d.data.pool_batches import PoolBatches
from motion4d.data.sampling import BatchShape, SeededClips
from motion4d.data.stride_choice import ChosenStrides, exponential, linear, uniform
from motion4d.data.view import View
from tests.reference.pytest_cases import cases_of, check

KINDS = ["stride_distribution", "dataset_mix", "sampler", "crop_resize"]


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=KINDS))
def test_reference(case) -> None:  # noqa: ANN001
    check(case)


class Numbers:
    """Clips that only say who they are; `shaped` says in which shape too."""

    def __init__(self, first: int, count: int) -> None:
        self.first, self.count = first, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        return Clip(torch.full((1, 1, 3, 1, 1), float(self.first + index)))

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        return Clip(torch.full((1, shape.frames, 3, *shape.size), float(self.first + index)))


def numbers(clips: SeededClips, epoch: int, count: int) -> list[int]:
    return [int(clips[(epoch, index)].images.flatten()[0]) for index in range(count)]


def test_an_epoch_has_its_samples_and_no_clip_twice_before_all_were_seen() -> None:
    mix = EpochMix(
        {"many": Numbers(0, 10), "few": Numbers(100, 3), "none": Numbers(200, 5)}, {"many": 6, "few": 7, "none": 0}
    )
    clips = SeededClips(mix, seed=0)
    first, second = (numbers(clips, epoch, len(mix)) for epoch in (0, 1))
    assert len(first) == 13
    assert len(set(first[:6])) == 6
    assert max(first[:6]) < 10
    assert sorted(first[6:9]) == sorted(first[9:12]) == [100, 101, 102]
    assert set(first[:6]) != set(second[:6])
    assert numbers(clips, 0, len(mix)) == first
    shaped = clips[(1, 2, BatchShape(2, (3, 4)))]
    assert shaped.images.shape == (1, 2, 3, 3, 4)
    assert int(shaped.images[0, 0, 0, 0, 0]) == second[2]


@pytest.mark.parametrize(
    ("samples", "words"),
    [({"a": 1}, "samples of"), ({"a": -1, "b": 2}, "at least 0"), ({"a": 0, "b": 0}, "one is more")],
)
def test_wrong_samples_are_refused(samples: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EpochMix({"a": Numbers(0, 2), "b": Numbers(0, 2)}, samples)


def test_a_dataset_without_clips_is_named_before_training() -> None:
    with pytest.raises(ValueError, match=r"datasets b of the mixture have no clips"):
        len(EpochMix({"a": Numbers(0, 2), "b": Numbers(0, 0)}, {"a": 1, "b": 1}))


def test_pool_batches_have_one_size_each_share_no_clip_and_can_start_anywhere() -> None:
    batches = PoolBatches(2, [(2, 4), (3, 4)], frames=3)
    keys = {"seed": 5, "ranks": 2, "start": 0, "stop": 12}
    ranks = [list(batches.of_rank(13, rank=rank, **keys)) for rank in (0, 1)]
    assert batches.per_epoch(13, seed=5, ranks=2) == 3
    assert all(len({key[2] for key in batch}) == 1 and batch[0][2].frames == 3 for rank in ranks for batch in rank)
    assert {key[2].size for rank in ranks for batch in rank for key in batch} == {(2, 4), (3, 4)}
    for epoch in range(4):
        seen = [key[1] for rank in ranks for batch in rank for key in batch if key[0] == epoch]
        assert len(seen) == len(set(seen)) == 12
    assert list(batches.of_rank(13, rank=1, **keys | {"start": 5})) == ranks[1][5:]
    assert list(batches.of_rank(13, rank=1, **keys | {"seed": 6})) != ranks[1]
    short = list(batches.of_rank(13, rank=0, limit=2, **keys))
    assert [batch[0][0] for batch in short] == [k // 2 for k in range(12)]
    with pytest.raises(ValueError, match=r"3 clips, fewer than the 2 x 2 of one batch"):
        list(batches.of_rank(3, rank=0, **keys))


def test_far_pairs_come_twice_as_often_as_near_ones() -> None:
    windows = ChosenStrides([1, 5, 9], distribution=linear)
    apart = [b - a for a, b in (windows(200, clip, 2) for clip in range(windows.count(200)))]
    counts = [apart.count(stride) for stride in (1, 5, 9)]
    assert counts[2] == 183  # all there are
    assert counts[0] / counts[2] == pytest.approx(1 / 2, abs=0.01)
    assert counts[1] / counts[2] == pytest.approx(3 / 4, abs=0.01)
    starts = [windows(200, clip, 2)[0] for clip in range(counts[0])]
    assert len(set(starts)) == counts[0]
    assert min(starts) < 3
    assert max(starts) > 195
    assert windows.count(2) == 1  # the one pair of a clip too short for far ones
    with pytest.raises(IndexError):
        windows(200, windows.count(200), 2)


def test_distributions_add_up_to_one() -> None:
    for distribution in (uniform, exponential, linear):
        assert distribution([1, 2, 3]).sum() == pytest.approx(1)
    assert exponential([1, 2])[1] / exponential([1, 2])[0] == pytest.approx(np.exp(-1))


def slope(height: int, width: int, focal: float, centre: tuple[float, float]) -> View:
    """A camera that looks at the plane z = 4 + x; the colour is x and y of the point, the depth exact."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (columns - centre[0]) / focal, (rows - centre[1]) / focal
    depth = 4 / (1 - x)
    image = np.stack([128 + 30 * depth * x, 128 + 30 * depth * y, 20 * depth], -1).round().clip(0, 255)
    matrix = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1.0]])
    return View(image.astype(np.uint8), matrix, depth.astype(np.float32))


@pytest.mark.parametrize(("kept", "more"), [(1.0, 0), (0.93, 0), (0.9, 15)])
def test_image_depth_and_camera_still_agree(kept: float, more: int) -> None:
    """Every pixel's ray, at its depth, is the point that its colour shows: x and y within a pixel and a grey level."""
    view = fitted(slope(120, 200, 150.0, (103.0, 57.0)), kept, more, (64, 96))
    assert view.size == (64, 96)
    columns, rows = np.meshgrid(np.arange(96), np.arange(64))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(view.intrinsics).T
    points = rays * view.depth[..., None]
    inner = (slice(4, -4), slice(4, -4))
    pixel = points[..., 2] / view.intrinsics[0, 0]
    for axis in (0, 1):
        shown = (view.image[..., axis].astype(float) - 128) / 30
        assert (np.abs(shown - points[..., axis]) < 1.6 * pixel + 1 / 30)[inner].all()
    assert np.abs(points[..., 2] - 4 - points[..., 0]).max() < 2 * pixel.max()


def test_a_pair_is_zoomed_frame_by_frame_and_seeded() -> None:
    frames = [slope(120, 200, 150.0, (100.0, 60.0))] * 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        first = PairViews()(frames, (64, 96))
        torch.manual_seed(3)
        again = PairViews()(frames, (64, 96))
    assert first[0].intrinsics[0, 0] != first[1].intrinsics[0, 0]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    plain = PairViews(zoom=1, shift=0)(frames, (64, 96))
    assert np.array_equal(plain[0].image, plain[1].image)


def test_a_principal_point_at_the_edge_is_refused() -> None:
    with pytest.raises(ValueError, match=r"principal point \(30, 60\) is too near"):
        fitted(slope(120, 200, 180.0, (30.0, 60.0)), 1.0, 0, (64, 96))
    with pytest.raises(ValueError, match="zoom=0"):
        PairViews(zoom=0)
