"""One point cloud of a whole clip: the pixels that are worth a point, and of them an even sample of bounded size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.geometry.pointmap_filters import depth_normal_edge
from motion4d.reconstruct.feed_forward import PlacedFrame


@dataclass(frozen=True)
class PointFilter:
    """Which pixels become points, and how many at most.

    min_confidence: least confidence, in the network's own measure (Pi3: 0 to 1; VGGT: from 1 up). drop: share of every
    frame's known pixels that is left out, the least sure first. edge: pixels on a bend whose neighbours differ by more
    than this share of their depth float between two surfaces and are left out (motion4d.geometry.pointmap_filters);
    None keeps them. most: points of the whole clip; if there are more, as many are drawn from all alike.
    Pi3's published export is min_confidence=0.1, drop=0, edge=0.03.
    """

    most: int = 500_000
    min_confidence: float = 0.0
    drop: float = 0.1
    edge: float | None = 0.03

    def __post_init__(self) -> None:
        if self.most < 1:
            raise ValueError(f"a cloud needs at least one point, so most must be at least 1, not {self.most}")
        if not 0 <= self.drop < 1:
            raise ValueError(f"drop is a share of the pixels, from 0 to less than 1, not {self.drop}")
        if self.edge is not None and self.edge <= 0:
            raise ValueError(f"edge is a positive share of the depth, or null, not {self.edge}")

    def keep(self, frame: PlacedFrame) -> Tensor:
        """[h, w] bool."""
        sure = (frame.confidence > 0) & (frame.confidence > self.min_confidence)
        if self.drop and sure.any():
            ranked = frame.confidence[sure].sort().values
            sure &= frame.confidence >= ranked[int(self.drop * len(ranked))]
        if self.edge is not None:
            sure &= ~depth_normal_edge(frame.points_camera, rtol=self.edge, mask=sure)
        return sure


class CloudSample:
    """Collects points and colours frame by frame, and never keeps more than `most` of them.

    Every point draws a number, and those with the smallest numbers stay: an even sample, whatever comes later.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._generator = torch.Generator().manual_seed(0)
        self._points = torch.empty(0, 3)
        self._colours = torch.empty(0, 3, dtype=torch.uint8)
        self._numbers = torch.empty(0, dtype=torch.float64)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, points: Tensor, colours: Tensor) -> None:
        """points [P, 3] float32, colours [P, 3] uint8."""
        numbers = torch.rand(len(points), generator=self._generator, dtype=torch.float64)
        if len(self._numbers) == self.most:  # nothing above the largest number of a full sample can stay
            chosen = numbers < self._numbers.max()
            points, colours, numbers = points[chosen], colours[chosen], numbers[chosen]
        self._points = torch.cat((self._points, points))
        self._colours = torch.cat((self._colours, colours))
        self._numbers = torch.cat((self._numbers, numbers))
        if len(self._numbers) > self.most:
            chosen = _smallest(self._numbers, self.most)
            self._points, self._colours = self._points[chosen], self._colours[chosen]
            self._numbers = self._numbers[chosen]

    def drawn(self, most: int | None = None) -> tuple[Tensor, Tensor]:
        """points [P, 3] and colours [P, 3], in the order in which they came; at most `most` of them."""
        if most is None or most >= len(self._numbers):
            return self._points, self._colours
        chosen = _smallest(self._numbers, most)
        return self._points[chosen], self._colours[chosen]


def _smallest(numbers: Tensor, most: int) -> Tensor:
    """Where the `most` smallest numbers are, in order of place."""
    return numbers.topk(most, largest=False, sorted=False).indices.sort().values
