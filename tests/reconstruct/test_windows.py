"""Plans of windows."""

import pytest

from motion4d.reconstruct.windows import window_plan


@pytest.mark.parametrize(("frames", "size", "overlap"), [(10, 6, 3), (3, 6, 3), (6, 6, 1), (101, 10, 4), (7, 2, 1)])
def test_every_frame_is_free_exactly_once(frames, size, overlap):
    plan = window_plan(frames, size, overlap)
    free = [frame for window in plan for frame in range(window.free, window.stop)]
    assert free == list(range(frames))
    assert all(window.stop - window.start <= size for window in plan)
    assert all(window.free - window.start >= overlap for window in plan[1:])


def test_an_overlap_as_long_as_the_window_is_refused():
    with pytest.raises(ValueError, match="windows of 4 frames cannot overlap by 4"):
        window_plan(10, 4, 4)
