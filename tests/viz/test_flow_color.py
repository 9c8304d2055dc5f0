"""Flow colours: the published wheel and pictures, and what published code gets wrong."""

from __future__ import annotations

import numpy as np
import pytest

from motion4d.viz.flow_color import flow_to_rgb, frame_radius, video_radius
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("flow", kinds=["flow_colors"]))
def test_reference(case: Case) -> None:
    check(case)


def uniform(u: float, v: float) -> np.ndarray:
    return np.full((2, 3, 2), (u, v), np.float32)


@pytest.mark.parametrize(
    ("u", "v", "brightest", "darkest"),
    [(4, 0, 0, 2), (0, 4, 0, 2), (-4, 0, 2, 0), (0, -4, 2, 1)],
    ids=["right is red", "down is yellow", "left is blue-cyan", "up is violet"],
)
def test_directions(u: float, v: float, brightest: int, darkest: int) -> None:
    colour = flow_to_rgb(uniform(u, v), max_radius=4)[0, 0]
    assert colour.argmax() == brightest
    assert colour[darkest] == colour.min()


def test_still_is_white_and_faster_is_more_saturated() -> None:
    still, slow, fast = (flow_to_rgb(uniform(u, 0), max_radius=4)[0, 0] for u in (0, 1, 3))
    assert still.tolist() == [255, 255, 255]
    assert fast[2] < slow[2] < 255
    assert fast[0] == slow[0] == 255


def test_the_fastest_pixel_is_not_darkened() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        flow = generator.normal(0, 7, (8, 9, 2)).astype(np.float32)
        flow[4, 4] = 30 * generator.normal(size=2)
        assert flow_to_rgb(flow)[4, 4].max() == 255
    assert flow_to_rgb(np.zeros((2, 2, 2), np.float32)).min() == 255


def test_beyond_the_radius_is_darker() -> None:
    assert flow_to_rgb(uniform(5, 0), max_radius=4)[0, 0].max() == int(255 * 0.75)


def test_unknown_is_black_and_the_input_is_untouched() -> None:
    flow = np.ones((3, 3, 2), np.float32)
    flow[0, 0, 1], flow[1, 1, 0], flow[2, 2, 0] = np.nan, 2e7, np.inf
    before = flow.copy()
    picture = flow_to_rgb(flow)
    assert (picture.max(-1) == 0).tolist() == np.eye(3, dtype=bool).tolist()
    assert (picture[0, 1] == flow_to_rgb(np.ones((3, 3, 2), np.float32))[0, 1]).all()
    np.testing.assert_array_equal(flow, before)


def test_one_radius_for_a_video() -> None:
    radii = [frame_radius(uniform(3, 4))] * 40 + [frame_radius(uniform(300, 400))]
    assert video_radius(radii) == pytest.approx(5)
    assert video_radius([0.01, 0.02]) == video_radius([]) == 1.0
    assert frame_radius(np.full((2, 2, 2), np.nan)) == 0
