"""Which points are seen at which setting, without a server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motion4d.viz.viewer.points import Cloud, ScenePoints, Settings, sample_frame
from tests.viz.viewer.runs import BACK, BLOCK, BLOCK_PIXELS, H, W, frame

COUNT = 4
ALL = Settings(least_still=0, least_moving=0)
STILL = H * W - BLOCK_PIXELS - 1  # one pixel is not known


@pytest.fixture(scope="module")
def points() -> ScenePoints:
    return ScenePoints([sample_frame(frame(k), most=10_000, seed=k) for k in range(COUNT)])


def is_all(cloud: Cloud, colour: tuple[int, int, int]) -> bool:
    return bool((cloud.colours == colour).all())


def test_background_of_all_frames_and_foreground_of_one(points: ScenePoints) -> None:
    assert len(points.still_at(0, ALL)) == COUNT * STILL
    assert len(points.still_at(2, replace(ALL, all_frames=False))) == STILL
    assert is_all(points.still_at(0, ALL), BACK)
    moving = points.moving_at(2, ALL)
    assert len(moving) == BLOCK_PIXELS
    assert is_all(moving, BLOCK)
    # columns 4 to 6 at depth 1, seen from 0.2 to the right
    assert sorted(set(moving.points[:, 0].round(4))) == pytest.approx(
        [(u - 7.5) / 10 + 0.2 for u in (4, 5, 6)], abs=2e-3
    )
    assert moving.points[:, 2] == pytest.approx(1, abs=2e-3)


def test_kinds_are_switched_off_by_themselves(points: ScenePoints) -> None:
    off = replace(ALL, still=False)
    assert (len(points.still_at(0, off)), len(points.moving_at(0, off))) == (0, BLOCK_PIXELS)
    off = replace(ALL, moving=False)
    assert (len(points.still_at(0, off)), len(points.moving_at(0, off))) == (COUNT * STILL, 0)


def test_without_masks_everything_is_of_this_moment(points: ScenePoints) -> None:
    off = replace(ALL, masks=False)
    assert len(points.still_at(1, off)) == 0
    assert len(points.moving_at(1, off)) == H * W - 1


def test_confidence_is_cut_separately_and_the_least_sure_go_first(points: ScenePoints) -> None:
    cut = replace(ALL, least_still=0.08)
    still = points.still_at(0, replace(cut, all_frames=False))
    assert len(still) == STILL - H  # the unsure column, about 7 percent
    assert still.points[:, 0].max() < (W - 1 - 7.5) / 10 * 2 - 0.1
    assert len(points.moving_at(0, cut)) == BLOCK_PIXELS
    cut = replace(ALL, least_moving=0.15)
    assert len(points.still_at(0, cut)) == COUNT * STILL
    assert len(points.moving_at(0, cut)) == BLOCK_PIXELS - 1


def test_every_share_that_is_left_out_leaves_fewer(points: ScenePoints) -> None:
    counts = [len(points.still_at(0, replace(ALL, least_still=share))) for share in (0, 0.05, 0.08, 0.5, 0.99, 1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
    # equal confidences cannot be told apart: all of them stay until all are to go
    assert counts[2] == counts[4] == COUNT * (STILL - H)


def test_one_in_so_many(points: ScenePoints) -> None:
    few = replace(ALL, one_in=5)
    assert len(points.still_at(0, few)) == COUNT * -(-STILL // 5)
    assert len(points.moving_at(0, few)) == 2


def test_tint_keeps_the_places(points: ScenePoints) -> None:
    tinted = points.moving_at(0, replace(ALL, tint=True))
    assert (tinted.points == points.moving_at(0, ALL).points).all()
    assert not is_all(tinted, BLOCK)


def test_what_is_kept_is_bounded_and_even() -> None:
    sample = sample_frame(frame(0), most=40, seed=0)
    assert (int((~sample.moving).sum()), int(sample.moving.sum())) == (40, BLOCK_PIXELS)
    again = sample_frame(frame(0), most=40, seed=0)
    assert (again.cloud.points == sample.cloud.points).all()
    assert abs(float(sample.cloud.points[~sample.moving][:, 0].mean())) < 0.4


def test_nothing_known_shows_nothing() -> None:
    empty = replace(frame(0), log_confidence=np.full((H, W), -np.inf, np.float32))
    points = ScenePoints([sample_frame(empty, most=10, seed=0)])
    assert len(points.still_at(0, ALL)) == len(points.moving_at(0, ALL)) == 0
    assert not points.anything_moves
