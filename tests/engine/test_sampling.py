"""Batches are a pure function of (seed, epoch) that can start anywhere and be cut into ranks."""

from __future__ import annotations

import pytest
import torch

from motion4d.data.sampling import EpochBatches, SeededClips, epoch_order
from tests.engine.toys import ToyClips


def test_every_epoch_has_its_own_fixed_order() -> None:
    torch.manual_seed(0)
    first = epoch_order(50, seed=1, epoch=0)
    torch.manual_seed(1)
    assert first == epoch_order(50, seed=1, epoch=0)
    assert sorted(first) == list(range(50))
    assert len({tuple(epoch_order(50, seed, epoch)) for seed in range(4) for epoch in range(4)}) == 16


def test_a_late_start_continues_the_same_sequence() -> None:
    whole = list(EpochBatches(11, 2, seed=4, stop=17))
    assert list(EpochBatches(11, 2, seed=4, start=7, stop=17)) == whole[7:]
    assert {epoch for batch in whole for epoch, _ in batch} == {0, 1, 2, 3}


def test_ranks_share_what_one_rank_would_see() -> None:
    whole = list(EpochBatches(12, 4, seed=4, stop=6))
    parts = [list(EpochBatches(12, 2, seed=4, rank=rank, ranks=2, stop=6)) for rank in range(2)]
    assert [a + b for a, b in zip(*parts, strict=True)] == whole


def test_more_ranks_than_clips_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 clips, fewer than the 2 x 2"):
        EpochBatches(3, 2, ranks=2, stop=1)


def test_random_choices_of_a_sample_hang_on_epoch_and_index_only() -> None:
    clips = SeededClips(ToyClips(), seed=7)
    before = torch.get_rng_state()
    first = clips[0, 3].images
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(first, clips[0, 3].images)
    assert not torch.equal(first, clips[1, 3].images)
