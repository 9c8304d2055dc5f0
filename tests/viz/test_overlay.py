"""Overlays and heat maps."""

from __future__ import annotations

import numpy as np
import pytest

from motion4d.viz.colours import OUTLINE, heat
from motion4d.viz.overlay import overlay


def test_an_empty_mask_changes_nothing_and_the_input_is_never_touched():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    before = image.copy()
    assert (overlay(image, np.zeros((20, 30), bool)) == image).all()
    overlay(image, np.ones((20, 30), bool))
    assert (image == before).all()


def test_inside_is_tinted_the_edge_is_outlined_the_outside_stays():
    image = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), bool)
    mask[5:15, 8:20] = True
    picture = overlay(image, mask)
    assert (picture[~mask] == 100).all()
    assert tuple(picture[5, 8]) == OUTLINE
    assert picture[10, 14, 0] > 150
    assert picture[10, 14, 2] < 100


def test_a_region_is_not_outlined_along_the_border_of_the_image():
    picture = overlay(np.zeros((20, 30, 3), np.uint8), np.ones((20, 30), bool))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="one size"):
        overlay(np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6), bool))


def test_heat_grows_brighter_with_the_value():
    colours = heat(np.linspace(-0.1, 1.1, 60)[None])
    luminance = colours[0].astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) >= 0).all()
    assert (colours[0, 0] == heat(np.zeros((1, 1)))[0, 0]).all()
