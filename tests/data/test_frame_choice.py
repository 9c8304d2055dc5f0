"""Frames of a clip: inside the video, evenly spaced, from every start that the rule allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motion4d.data.frame_choice import Strided, Thinned


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.integers(0, 40), st.lists(st.integers(1, 6), min_size=1, max_size=3), st.booleans())
def test_a_clip_is_evenly_spaced_and_inside(frames: int, more: int, strides: list[int], centred: bool) -> None:
    count = frames + more
    chosen = Strided(frames, strides, centred=centred)(count)
    assert len(chosen) == frames
    assert 0 <= chosen[0] <= chosen[-1] < count
    steps = {b - a for a, b in zip(chosen, chosen[1:], strict=False)}
    assert len(steps) <= 1
    assert all(1 <= step <= max(strides) for step in steps)


def test_the_largest_stride_that_fits() -> None:
    assert Strided(4, [4])(13) == [0, 4, 8, 12]
    assert Strided(4, [4])(12)[1] - Strided(4, [4])(12)[0] == 3
    assert Strided(4, [4])(4) == [0, 1, 2, 3]


def test_published_padding_repeats_the_last_frame() -> None:
    assert Strided(4, [4], repeat_last=True)(10) == [0, 4, 8, 9]
    assert Strided(4, [4], repeat_last=True)(5) == [0, 4, 4, 4]


def test_published_starts() -> None:
    rule = Strided(3, [2])
    assert {rule(10)[0] for _ in range(200)} == {0, 1, 2, 3, 4}  # 0..10 - 3 * 2
    assert Strided(12, [2], centred=True)(60) == list(range(18, 42, 2))  # starts at (60 - 24) // 2


def test_every_stride_is_drawn() -> None:
    rule = Strided(3, [1, 2, 4])
    assert {b - a for a, b, _ in (rule(40) for _ in range(100))} == {1, 2, 4}


def test_thinned() -> None:
    chosen = {tuple(Thinned(3)(40)) for _ in range(400)}
    assert {frames[1] - frames[0] for frames in chosen} == {4}
    assert {frames[0] % 4 for frames in chosen} == {0, 1, 2, 3}
    assert Thinned(3, centred=True)(40) == [12, 16, 20]
    assert {tuple(Thinned(3)(8)) for _ in range(100)} == {tuple(range(k, k + 3)) for k in range(6)}  # too short to thin


@pytest.mark.parametrize("settings", [{"num_frames": 0}, {"num_frames": 4, "strides": [0]}])
def test_nonsense_is_refused(settings: dict) -> None:
    with pytest.raises(ValueError, match="at least"):
        Strided(**settings)
