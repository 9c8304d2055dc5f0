"""Points followed through a clip of any length, in overlapping windows of frames.

A window's queries lie in its first frame, which the window before has seen: the points that show there go on, and new
ones fill the cells of a grid that have lost theirs. A point that is hidden in that frame ends with the older window.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.tracks.base import PointTracker, grid_queries


@dataclass(frozen=True)
class WindowTracks:
    """What a window saw of P points: names [P] int (one per point, kept through the clip), positions [n, P, 2] (x, y in
    pixels), visibility [n, P] bool, and told [n, P] bool: what no window before has said. start: index of its first
    frame in the clip.
    """

    start: int
    names: Tensor
    positions: Tensor
    visibility: Tensor
    told: Tensor


class LongTracks:
    """`follow` one window after the other; every frame begins with about side x side points."""

    def __init__(self, tracker: PointTracker, *, side: int) -> None:
        self.tracker = tracker
        self.side = side
        self._last: WindowTracks | None = None
        self._count = 0  # names that were given

    def follow(self, start: int, images: Tensor) -> WindowTracks:
        """images [n, 3, H, W] in [0, 1]: the frames from `start` on; the window before has seen the first of them."""
        size = (images.shape[-2], images.shape[-1])
        names, places, known = self._going_on(start, size)
        fresh = _in_free_cells(grid_queries([0], self.side, size)[:, 1:], places, size, self.side)
        names = torch.cat((names, self._count + torch.arange(len(fresh))))
        self._count += len(fresh)
        queries = torch.cat((torch.zeros(len(names), 1), torch.cat((places, fresh))), 1)
        found = self.tracker(Clip(images[None]), queries[None].to(images.device))
        told = torch.ones(len(images), len(names), dtype=torch.bool)
        told[:known, : len(places)] = False
        self._last = WindowTracks(start, names, found.positions[0].cpu(), found.visibility[0].cpu(), told)
        return self._last

    def _going_on(self, start: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, int]:
        """Names [P] and places [P, 2] of the points that show in frame `start`, and how many frames they are known."""
        if self._last is None:
            return torch.empty(0, dtype=torch.int64), torch.empty(0, 2), 0
        here = start - self._last.start
        places = self._last.positions[here]
        inside = ((places >= 0) & (places <= places.new_tensor([size[1] - 1, size[0] - 1]))).all(-1)
        chosen = self._last.visibility[here] & inside
        return self._last.names[chosen], places[chosen], len(self._last.positions) - here


def _in_free_cells(points: Tensor, taken: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """Those of `points` [P, 2] in whose cell of a side x side grid none of `taken` [Q, 2] lies."""

    def cell(places: Tensor) -> Tensor:
        column, row = (places / places.new_tensor([size[1], size[0]]) * side).long().clamp(0, side - 1).unbind(-1)
        return row * side + column

    return points[~torch.isin(cell(points), cell(taken))]
