"""Points followed through windows: who goes on, who ends, who is new."""

from __future__ import annotations

import torch
from torch import Tensor

from motion4d.clip import Clip, Tracks
from motion4d.tracks.long import LongTracks

SIZE = (24, 32)


class Drift:
    """Every point moves two pixels to the right per frame, and shows as long as it is inside."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, clip: Clip, queries: Tensor) -> Tracks:
        """Queries in the first frame."""
        assert not queries[..., 0].any()
        self.asked.append(queries.shape[1])
        steps = torch.arange(clip.num_frames)[:, None, None] * torch.tensor([2.0, 0])
        positions = queries[:, None, :, 1:] + steps
        return Tracks(positions, positions[..., 0] <= SIZE[1] - 1)


def test_points_keep_their_names_and_lost_ones_are_replaced() -> None:
    tracker = Drift()
    points = LongTracks(tracker, side=4)
    images = torch.zeros(6, 3, *SIZE)
    first, second = points.follow(0, images), points.follow(4, images)
    assert first.told.all()
    assert first.names.tolist() == list(range(16))
    there = dict(zip(first.names.tolist(), first.positions[4], strict=True))
    shows = dict(zip(first.names.tolist(), first.visibility[4].tolist(), strict=True))
    going_on = [name for name in second.names.tolist() if name < 16]
    assert going_on == [name for name in range(16) if shows[name]]
    assert 0 < len(going_on) < 16
    for column, name in enumerate(second.names.tolist()):
        if name < 16:
            assert torch.equal(second.positions[0, column], there[name])
            assert second.told[:, column].tolist() == [False, False, True, True, True, True]
        else:
            assert second.told[:, column].all()
    cells = (second.positions[0] / torch.tensor([SIZE[1], SIZE[0]]) * 4).long()
    assert len({tuple(cell) for cell in cells.tolist()}) == 16  # none is empty
    assert len(set(second.names.tolist())) == len(second.names) == tracker.asked[1]
    third = points.follow(8, images)
    assert max(third.names) > max(second.names)
