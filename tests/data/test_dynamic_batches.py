"""Batches that choose frames and aspect: published ranges, the same on all ranks, resumable, true lengths."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from motion4d.clip import Clip
from motion4d.data.dynamic_batches import DynamicBatches, ShapedBatches
from motion4d.data.framed import Framed
from motion4d.data.reshaped import Reshaped
from motion4d.data.sampling import BatchShape, SeededClips
from motion4d.data.weighted import Weighted
from motion4d.framing import Native
from tests.data.moving_things import walking_thing

PUBLISHED = DynamicBatches()
SMALL = DynamicBatches(max_images=12, frames=(2, 6), aspect=(0.5, 1.0), width=42)


class Things:
    """Four clips of six frames."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Clip:
        return walking_thing(f"thing{index}", step=index + 1)


def test_published_shapes() -> None:
    sizes = PUBLISHED.sizes(200_000, seed=0, epoch=0, ranks=1)
    assert all(count == max(1, 32 // shape.frames) for count, shape in sizes)
    frames = Counter(shape.frames for _, shape in sizes)
    assert sorted(frames) == list(range(2, 17))
    assert max(frames.values()) < 1.1 * min(frames.values())
    heights = {shape.size[0] for _, shape in sizes}
    assert heights == set(range(168, 519, 14))
    assert {shape.size[1] for _, shape in sizes} == {518}
    used = sum(count for count, _ in sizes)
    assert 200_000 - 16 < used <= 200_000


def test_a_late_start_continues_the_same_sequence() -> None:
    whole = list(ShapedBatches(SMALL, 40, seed=3, stop=50))
    assert len(whole) == 50
    assert max(epoch for batch in whole for epoch, *_ in batch) > 2
    for start in (1, 17, 49):
        assert list(ShapedBatches(SMALL, 40, seed=3, start=start, stop=50)) == whole[start:]
    assert whole != list(ShapedBatches(SMALL, 40, seed=4, stop=50))


def test_every_clip_comes_once_per_epoch_and_ranks_have_one_shape() -> None:
    ranks = [list(ShapedBatches(SMALL, 60, seed=1, rank=rank, ranks=3, stop=12)) for rank in range(3)]
    seen: Counter[tuple[int, int]] = Counter()
    for parts in zip(*ranks, strict=True):
        assert len({key[2] for part in parts for key in part}) == 1  # type: ignore[misc]
        assert len({len(part) for part in parts}) == 1
        seen.update((epoch, index) for part in parts for epoch, index, *_ in part)
    assert max(seen.values()) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"frames": (4, 2)}, "frames="),
        ({"frames": (0, 2)}, "frames="),
        ({"max_images": 8}, "max_images=8"),
        ({"aspect": (1.0, 0.5)}, "aspect="),
        ({"aspect": (0.01, 0.5)}, "at least one patch"),
        ({"width": 10}, "at least one patch"),
    ],
)
def test_nonsense_is_one_sentence(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        DynamicBatches(**wrong)


def test_too_few_clips() -> None:
    with pytest.raises(ValueError, match="5 clips, fewer than the 6 of the largest batch"):
        ShapedBatches(SMALL, 5, stop=1)


def test_clips_come_in_the_shape_of_their_batch() -> None:
    clips = SeededClips(Framed(Reshaped(Things()), Native(14)), seed=0)
    shapes = set()
    for batch in ShapedBatches(DynamicBatches(8, (2, 8), (0.4, 1.0), 42), 4, seed=2, stop=12):
        clip = Clip.collate([clips[key] for key in batch])
        shape = batch[0][2]  # type: ignore[misc]
        assert (clip.num_frames, clip.size) == (shape.frames, shape.size)
        assert clip.depth is not None
        assert clip.valid is not None
        assert clip.valid.all()
        assert torch.all(clip.depth == 3.0)
        shapes.add(shape)
    assert len(shapes) > 6
    key = (0, 1, BatchShape(3, (28, 42)))
    assert torch.equal(clips[key].images, clips[key].images)


def test_clips_of_one_shape_cannot_be_reshaped() -> None:
    with pytest.raises(ValueError, match="Things has clips of one shape; set training.batches=null"):
        SeededClips(Things(), seed=0)[0, 0, BatchShape(2, (14, 14))]


def test_a_weighted_mixture_draws_by_declared_lengths() -> None:
    mixture = Weighted({"a": Things(), "b": Reshaped(Things()), "none": Things()}, {"a": 30, "b": 10, "none": 0})
    assert len(mixture) == 40
    torch.manual_seed(0)
    drawn = Counter(type(mixture._drawn()[0]).__name__ for _ in range(4000))
    assert drawn["Things"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert {mixture[0].sources[0].sequence for _ in range(40)} == {f"thing{k}" for k in range(4)}
    with pytest.raises(ValueError, match="lengths of"):
        Weighted({"a": Things()}, {"b": 1})
    with pytest.raises(ValueError, match="one is more"):
        Weighted({"a": Things()}, {"a": 0})
