"""The contract of a point tracker: a clip and points in it -> where they are in every frame, and whether they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from motion4d.clip import Clip, Tracks, check_shape


class PointTracker(Protocol):
    """Anything that follows points. A query is (frame, x, y): where the point is known to be visible."""

    def __call__(self, clip: Clip, queries: Tensor) -> Tracks:
        """queries [B, P, 3]: frame index, x and y in pixels -> positions [B, N, P, 2], visibility [B, N, P].

        In its own frame a point is exactly where its query says, and visible. Where a point is hidden its position is a
        guess, and outside the frame it may lie outside.
        """
        ...


def check_queries(clip: Clip, queries: Tensor) -> None:
    """A ValueError unless the queries [B, P, 3] name frames and places of this clip."""
    sizes = check_shape("queries", queries, "B P 3")
    if sizes["B"] != len(clip.images):
        raise ValueError(f"there are queries for {sizes['B']} videos, but the clip holds {len(clip.images)}")
    frame, x, y = queries.unbind(-1)
    height, width = clip.size
    if not ((frame >= 0) & (frame < clip.num_frames) & (frame == frame.round())).all():
        raise ValueError(f"a query's first number is a frame: a whole number from 0 to {clip.num_frames - 1}")
    if not ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).all():
        raise ValueError(f"a query lies outside the frames, which have {height} rows and {width} columns")


def grid_queries(frames: Sequence[int], side: int, size: tuple[int, int]) -> Tensor:
    """side x side points, row by row, in each of the frames: [len(frames) * side^2, 3] for a clip of this (H, W).

    CoTracker's grid: it leaves 1/64 of the width of a 384x512 map free at all borders, and is scaled from that map to
    the clip with corners aligned.
    """
    rows, columns = 384, 512
    margin = columns / 64
    y = torch.linspace(margin, rows - margin, side) * (size[0] - 1) / (rows - 1)
    x = torch.linspace(margin, columns - margin, side) * (size[1] - 1) / (columns - 1)
    places = torch.stack([x.repeat(side), y.repeat_interleave(side)], -1)
    starts = torch.tensor(list(frames), dtype=torch.float32).repeat_interleave(side**2)
    return torch.cat([starts[:, None], places.repeat(len(frames), 1)], 1)
