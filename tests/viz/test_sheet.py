"""Contact sheets."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from motion4d.viz.sheet import EvenPicker, Panel, contact_sheet, make_panel


def filled_picker(count: int, height: int = 36, width: int = 64) -> EvenPicker[Panel]:
    picker: EvenPicker[Panel] = EvenPicker(capacity=16)
    for index in range(count):
        image = np.full((height, width, 3), index % 256, np.uint8)
        probabilities = np.full((height, width), 0.5, np.float32)
        panel = partial(make_panel, index, f"frame {index}", image, probabilities, probabilities > 0.4)
        picker.offer(index, panel)
    return picker


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 17, 100, 333])
def test_panels_are_evenly_spaced_and_few(count):
    indices = [panel.index for panel in filled_picker(count).pick(8)]
    assert len(indices) == min(count, 8)
    assert indices[0] == 0
    if count > 1:
        assert indices[-1] >= 0.8 * (count - 1)
        assert max(np.diff(indices)) <= 2 * min(np.diff(indices)) + 1


def test_only_so_many_are_kept():
    assert len(filled_picker(1000)._kept) <= 16


@pytest.mark.parametrize(("height", "width"), [(36, 64), (480, 854), (640, 360), (1, 1), (30, 2000)])
def test_a_sheet_shows_every_panel_in_three_rows(height, width):
    panels = filled_picker(3, height, width).pick()
    sheet = contact_sheet(panels, "a clip")
    h, w = panels[0].mask.shape
    assert max(h, w) <= 240
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] >= 3 * h
    assert sheet.shape[1] >= 3 * w


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], "a clip")
