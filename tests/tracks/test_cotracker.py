"""The adapter for CoTracker, with a stand-in checkout that this test writes: what it is given, what is made of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip
from motion4d.tracks.base import check_queries, grid_queries
from motion4d.tracks.cotracker import CoTracker

# Points go right by one pixel per frame and show while their pixel is red; rounding errors at the query included.
STAND_IN = """
import torch

class CoTrackerPredictor(torch.nn.Module):
    def __init__(self, checkpoint):
        super().__init__()
        assert checkpoint.endswith("scaled_offline.pth")

    def forward(self, video, queries, backward_tracking):
        assert video.shape[0] == queries.shape[0] == 1 and video.max() == 255 and backward_tracking
        assert not self.training
        steps = torch.arange(video.shape[1])[:, None] - queries[0, :, 0]
        positions = queries[0, :, 1:] + torch.stack([steps, 0 * steps], -1) + 0.01
        x, y = positions.round().long().unbind(-1)
        red = video[0, torch.arange(len(steps))[:, None], 0, y, x] / 255
        return OUTPUTS
"""
OUTPUTS = {
    "booleans": "positions[None], (red > 0.9)[None]",
    "probabilities": "positions[None], red[None]",
    "with confidence": "positions[None], red[None], torch.ones_like(red)[None]",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """An empty checkout with weights beside it; what was imported from it is forgotten afterwards."""
    (tmp_path / "co-tracker" / "cotracker").mkdir(parents=True)
    (tmp_path / "co-tracker" / "cotracker" / "__init__.py").write_text("")
    (tmp_path / "scaled_offline.pth").write_bytes(b"weights")
    yield tmp_path / "co-tracker"
    for name in [name for name in sys.modules if name.partition(".")[0] == "cotracker"]:
        del sys.modules[name]


def write(checkout: Path, outputs: str) -> CoTracker:
    (checkout / "cotracker" / "predictor.py").write_text(STAND_IN.replace("OUTPUTS", outputs))
    return CoTracker(checkout, weights=checkout.parent / "scaled_offline.pth")


def red_clip() -> Clip:
    """Two videos of 3 frames, red; the last frame of the second one is half as bright."""
    images = torch.zeros(2, 3, 3, 8, 10)
    images[:, :, 0] = 1
    images[1, 2] *= 0.5
    return Clip(images)


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_tracks_of_a_checkout(checkout: Path, outputs: str) -> None:
    path = list(sys.path)
    queries = torch.tensor([[[0.0, 2, 3], [1, 4, 5]], [[0, 2, 3], [2, 6, 5]]])
    tracks = write(checkout, OUTPUTS[outputs])(red_clip(), queries)
    assert tracks.positions[0, :, 0, 0].tolist() == pytest.approx([2, 3.01, 4.01])
    assert tracks.positions[1, :, 1, 0].tolist() == pytest.approx([4.01, 5.01, 6])
    assert tracks.visibility.dtype == torch.bool
    assert tracks.visibility[0].all()
    assert tracks.visibility[1].T.tolist() == [[True, True, False], [True, True, True]]  # a query is visible
    assert sys.path == path


def test_nothing_foreign_is_touched_before_the_first_clip(checkout: Path) -> None:
    write(checkout, "crash(")
    assert "cotracker" not in sys.modules


def test_what_is_missing_is_named(checkout: Path) -> None:
    clip, queries = red_clip(), torch.zeros(2, 1, 3)
    with pytest.raises(FileNotFoundError, match=r"no cotracker/predictor.py in .*ChainedFlow"):
        CoTracker(checkout, weights="scaled_offline.pth")(clip, queries)
    tracker = write(checkout, OUTPUTS["booleans"])
    tracker.weights.unlink()
    with pytest.raises(FileNotFoundError, match="no CoTracker weights"):
        tracker(clip, queries)


def test_a_second_checkout_in_one_process_is_refused(checkout: Path, tmp_path: Path) -> None:
    clip, queries = red_clip(), torch.ones(2, 1, 3)
    write(checkout, OUTPUTS["booleans"])(clip, queries)
    other = tmp_path / "other"
    (other / "cotracker").mkdir(parents=True)
    (other / "cotracker" / "predictor.py").write_text("")
    with pytest.raises(ValueError, match="another CoTracker"):
        CoTracker(other, weights=tmp_path / "scaled_offline.pth")(clip, queries)


def test_grid() -> None:
    queries = grid_queries([0, 10], 3, (384, 512))
    assert queries.shape == (18, 3)
    assert queries[:9, 0].tolist() == [0] * 9
    assert queries[9:11].tolist() == [[10, 8, 8], [10, 256, 8]]
    assert queries[17].tolist() == [10, 504, 376]
    small = grid_queries([1], 2, (97, 129))
    torch.testing.assert_close(small[3], torch.tensor([1, 504 * 128 / 511, 376 * 96 / 383]))
    check_queries(Clip(torch.zeros(1, 2, 3, 97, 129)), small[None])
