"""Even and odd frames refine each other: the published order of calls, and what happens where it fails."""

from __future__ import annotations

import pytest
import torch

from motion4d.refine.even_odd import EvenOdd
from motion4d.refine.holes import fill_holes
from tests.reference.procedures.geomotion import NearestPrompt
from tests.reference.pytest_cases import cases_of, check

IMAGES = torch.zeros(4, 3, 2, 3)


def probabilities(*frames: float) -> torch.Tensor:
    """[N, 2, 3]: each frame's value in its first pixel, 0 elsewhere."""
    values = torch.zeros(len(frames), 2, 3)
    values[:, 0, 0] = torch.tensor(frames)
    return values


def first_pixels(masks: torch.Tensor) -> list[bool]:
    assert not masks[:, 1].any()
    return masks[:, 0, 0].tolist()


@pytest.mark.parametrize("case", cases_of("geomotion", kinds=["sam2_refine"]))
def test_reference(case) -> None:
    check(case)


class Refusing(NearestPrompt):
    """A tracker that nobody may ask."""

    def encode(self, images: torch.Tensor) -> int:
        raise AssertionError


def test_without_a_confident_pixel_the_masks_stay_and_nothing_is_computed() -> None:
    refiner = EvenOdd(Refusing(), prompt_threshold=0.8)
    assert first_pixels(refiner(IMAGES, probabilities(0.7, 0.2, 0.8, 0.6), threshold=0.5)) == [True, False, True, True]


@pytest.mark.parametrize(("frames", "prompted"), [((0.9, 0.1, 0.1, 0.1), [0]), ((0.1, 0.9, 0.1, 0.9), [1, 3])])
def test_one_pass_serves_all_frames_if_the_other_has_no_prompt(frames, prompted) -> None:
    tracker = NearestPrompt()
    refined = EvenOdd(tracker)(IMAGES, probabilities(*frames))
    assert [row[1] for row in tracker.rows] == prompted
    assert first_pixels(refined) == [True] * 4


def test_combine_decides_what_happens_to_the_masks_that_there_were() -> None:
    given = probabilities(0.9, 0.1, 0.1, 0.1)
    given[:, 1, 2] = torch.tensor([0.1, 0.6, 0.4, 0.1])
    replaced = EvenOdd(NearestPrompt(), combine="replace")(IMAGES, given)
    added = EvenOdd(NearestPrompt(), combine="or")(IMAGES, given)
    assert replaced[:, 1, 2].tolist() == [False] * 4
    assert added[:, 1, 2].tolist() == [False, True, False, False]
    assert added[:, 0, 0].all()


def test_small_holes_are_filled_up_to_an_area_and_diagonals_connect() -> None:
    mask = torch.ones(1, 7, 9, dtype=torch.bool)
    mask[0, 1, 1] = False  # 1 pixel
    mask[0, 3, 3] = mask[0, 4, 4] = mask[0, 5, 3] = False  # 3 pixels by their corners
    mask[0, :2, 7:] = False  # 4 pixels at the border
    areas = [int((~fill_holes(mask, area)).sum()) for area in (0, 1, 2, 3, 4)]
    assert areas == [8, 7, 7, 4, 0]
    empty = torch.zeros(2, 3, 4, dtype=torch.bool)
    assert not fill_holes(empty, 11).any()
    given = torch.where(mask, 0.9, 0.1)
    assert EvenOdd(NearestPrompt(), hole_area=4)(torch.zeros(1, 3, 7, 9), given).all()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"prompt_threshold": 1.2}, "prompt_threshold"),
        ({"combine": "and"}, "replace or or"),
        ({"hole_area": -1}, "hole_area"),
        ({"window": 1}, "window of at least 2"),
        ({"window": 4, "overlap": 4}, "overlap=4"),
    ],
)
def test_impossible_settings_are_refused(setting, message) -> None:
    with pytest.raises(ValueError, match=message):
        EvenOdd(NearestPrompt(), **setting)
