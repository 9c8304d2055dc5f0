"""SAM 2 as a mask tracker: the published numbers, and what a caller may rely on, on a small random network."""

from __future__ import annotations

import sys

import pytest
import torch

from motion4d.refine.base import Box, Points
from motion4d.refine.even_odd import EvenOdd
from motion4d.refine.sam2 import Sam2Tracker
from motion4d.refine.sam2_network import SIZES, build_network
from tests.reference.pytest_cases import cases_of, check
from tests.refine.small import small_network

HEIGHT, WIDTH = 40, 56


@pytest.mark.parametrize("case", cases_of("sam2"))
def test_reference(case) -> None:
    check(case)


@pytest.fixture(scope="module")
def tracker() -> Sam2Tracker:
    return Sam2Tracker(network=small_network())


def images(count: int = 4) -> torch.Tensor:
    return (torch.rand(count, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 256).to(torch.uint8)


def mask(left: int) -> torch.Tensor:
    """A box of ones, 16 pixels wide."""
    values = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    values[8:24, left : left + 16] = True
    return values


def followed(tracker: Sam2Tracker, prompts, **settings) -> dict[int, torch.Tensor]:
    return dict(tracker.propagate(tracker.encode(images()), prompts, **settings))


def test_a_prompted_frame_keeps_its_mask_and_the_others_get_one(tracker) -> None:
    logits = followed(tracker, {7: {1: mask(16)}})
    assert list(logits) == [0, 1, 2, 3]
    assert {value.shape for value in logits.values()} == {(1, HEIGHT, WIDTH)}
    assert ((logits[1][0] > 0) != mask(16)).float().mean() < 0.02
    assert logits[1].abs().max() == pytest.approx(10)
    assert not torch.equal(logits[0], logits[2])


def test_objects_do_not_see_each_other(tracker) -> None:
    alone = [followed(tracker, {1: {0: mask(8)}}), followed(tracker, {1: {2: mask(32)}})]
    both = followed(tracker, {4: {0: mask(8)}, 9: {2: mask(32)}})
    for frame, logits in both.items():
        assert torch.equal(logits[0], alone[0][frame][0])
        assert torch.equal(logits[1], alone[1][frame][0])


def test_from_a_frame_on_or_back_from_it(tracker) -> None:
    assert list(followed(tracker, {1: {0: mask(8)}}, start=2)) == [2, 3]
    assert list(followed(tracker, {1: {3: mask(8)}}, start=3, reverse=True)) == [3, 2, 1, 0]


def test_points_and_boxes(tracker) -> None:
    click = Points(torch.tensor([[20.0, 10.0], [50.0, 30.0]]), torch.tensor([1, 0]))
    by_click, by_box = followed(tracker, {1: {0: click}}), followed(tracker, {1: {0: Box(8, 8, 24, 24)}})
    moved = followed(tracker, {1: {0: Points(click.positions.flip(0), click.labels)}})
    assert not torch.equal(by_click[0], by_box[0])
    assert not torch.equal(by_click[0], moved[0])
    assert len(by_box) == 4


def test_bytes_and_floats_give_the_same(tracker) -> None:
    for image in images(2):
        assert torch.equal(tracker.pixel_values(image), tracker.pixel_values(image.float() / 255))


def test_both_passes_share_one_encoding(tracker, monkeypatch) -> None:
    encoded = []
    original = tracker.network.get_image_features
    monkeypatch.setattr(
        tracker.network, "get_image_features", lambda pixels, **rest: encoded.append(1) or original(pixels, **rest)
    )
    motion = torch.stack([mask(8 + 4 * frame) for frame in range(4)]).float()
    refined = EvenOdd(tracker)(images(), motion)
    assert len(encoded) == 4
    assert refined.shape == motion.shape
    assert refined.dtype == torch.bool
    assert not torch.equal(refined, motion > 0.8)
    assert torch.equal(refined, EvenOdd(tracker)(images(), motion))  # nothing is remembered from clip to clip


def test_positions_are_exact_in_bf16_and_made_once(tracker) -> None:
    make = tracker.network.vision_encoder.neck.position_encoding
    shape, device = torch.Size((1, 128, 8, 8)), torch.device("cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        table = make(shape, device, torch.bfloat16)
    assert table is make(shape, device, torch.float32)
    torch.testing.assert_close(table[0, 0, :, 0], torch.sin(2 * torch.pi * torch.arange(1, 9) / 8), atol=1e-5, rtol=0)


def test_bf16_says_nearly_the_same(tracker) -> None:
    exact = followed(tracker, {1: {1: mask(16)}})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = followed(tracker, {1: {1: mask(16)}})
    for frame, logits in exact.items():
        assert rounded[frame].dtype == torch.float32
        assert ((logits > 0) != (rounded[frame] > 0)).float().mean() < 0.1


def test_bad_prompts_and_settings(tracker) -> None:
    with pytest.raises(ValueError, match="frame 9, but the clip has 4"):
        followed(tracker, {1: {9: mask(8)}})
    with pytest.raises(ValueError, match="without a prompt"):
        followed(tracker, {1: {}})
    with pytest.raises(ValueError, match="either the path"):
        Sam2Tracker()
    with pytest.raises(ValueError, match="multiple of 32"):
        build_network(SIZES["tiny"], image_size=1000)


def test_without_transformers_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r'pip install -e "\.\[sam2\]"'):
        build_network(SIZES["tiny"])
