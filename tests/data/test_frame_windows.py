"""Which frames become a clip: base pairs, windows, frames in any order."""

from __future__ import annotations

import pytest

from motion4d.data.frame_windows import AnyFrames, StridedWindows


def test_every_pair_is_a_clip() -> None:
    windows = StridedWindows((1, 3), step=2)
    assert windows.count(10) == len(range(0, 9, 2)) + len(range(0, 5, 2))
    pairs = [windows(10, clip, 2) for clip in range(windows.count(10))]
    assert pairs == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [0, 3], [2, 5], [4, 7]]
    with pytest.raises(IndexError, match="8 clips"):
        windows(10, 8, 2)


def test_windows_grow_to_both_sides_before_they_repeat() -> None:
    windows = StridedWindows((3,))
    assert windows(12, 4, 4) == [1, 4, 7, 10]
    assert windows(12, 4, 6) == [1, 4, 7, 10, 10, 10]


def test_a_short_sequence_has_no_clips() -> None:
    assert StridedWindows((2,)).count(3) == 0
    assert AnyFrames(24).count(23) == 0


def test_any_frames_repeat() -> None:
    frames = AnyFrames(4)(5, 0, 40)
    assert len(frames) == 40
    assert set(frames) == set(range(5))


def test_nonsense_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StridedWindows((0, 1))
    with pytest.raises(ValueError, match="at least 1"):
        StridedWindows(())
