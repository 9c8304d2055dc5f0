"""What the writers of data sets of parts share: a query's truth as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motion4d.layouts.scenefun3d_records import sampled
from motion4d.part import PartQuery


@dataclass(frozen=True)
class PartTruth:
    """image [H, W, 3]; depth [H, W] metres; mask [H, W]; axis, origin [3]; trajectory [T, 3], track [T, 2], valid [T]
    or None; diagonal: of the object, metres, or None.
    """

    text: str
    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: NDArray[np.float64]
    mask: NDArray[np.bool_]
    kind: int
    axis: NDArray[np.float64]
    origin: NDArray[np.float64]
    trajectory: NDArray[np.float64] | None
    track: NDArray[np.float64] | None
    valid: NDArray[np.bool_] | None
    diagonal: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.mask.shape[0], self.mask.shape[1]

    @property
    def origin_2d(self) -> NDArray[np.float64]:
        """Where the origin is seen, pixels (x, y)."""
        pixel: NDArray[np.float64] = (self.intrinsics @ self.origin)[:2] / self.origin[2]
        return pixel


def part_truth(query: PartQuery) -> PartTruth:
    """Of the query's first batch item; a ValueError if it lacks depth, camera or motion."""
    truth = query.truth
    needed = (query.depth, query.intrinsics) if truth is None else (query.depth, query.intrinsics, truth.axis)
    if truth is None or any(field is None for field in (*needed, truth.kind, truth.origin)):
        raise ValueError(f"the query {query.texts[0]!r} cannot be written: it lacks depth, camera or motion")
    image = query.images[0].permute(1, 2, 0).mul(255).round().clamp(0, 255).byte().numpy()
    return PartTruth(
        query.texts[0],
        image,
        query.depth[0].numpy(),  # type: ignore[index]
        query.intrinsics[0].double().numpy(),  # type: ignore[index]
        truth.mask[0].bool().numpy(),
        int(truth.kind[0]),  # type: ignore[index]
        truth.axis[0].double().numpy(),  # type: ignore[index]
        truth.origin[0].double().numpy(),  # type: ignore[index]
        None if truth.trajectory is None else truth.trajectory[0].double().numpy(),
        None if truth.track is None else truth.track[0].double().numpy(),
        None if truth.track_valid is None else truth.track_valid[0].numpy(),
        query.sources[0].diagonal if query.sources else None,
    )


def stretched(points: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """[T, C] -> [count, C], between the points on straight lines, such that taking T of them gives the points again."""
    places = sampled(count, len(points))
    return np.stack([np.interp(np.arange(count), places, column) for column in points.T], axis=1)
