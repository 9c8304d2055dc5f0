"""Which depths of a map are believed: limits by percentiles and by distance (PAGE-4D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DepthLimits:
    """What is removed (set to 0): depth beyond `max_depth`, then what lies above and below these percentiles.

    Percentiles are those of the whole map, its zeros included. None switches a limit off.
    """

    max_percentile: float | None = 99
    min_percentile: float | None = 1
    max_depth: float | None = None

    def __post_init__(self) -> None:
        low, high = self.min_percentile or 0, 100 if self.max_percentile is None else self.max_percentile
        if not 0 <= low < high <= 100 or (self.max_depth is not None and self.max_depth <= 0):
            raise ValueError(
                f"min_percentile={self.min_percentile} and max_percentile={self.max_percentile} must rise within 0 to "
                f"100, and max_depth={self.max_depth} must be positive; null switches a limit off"
            )

    def __call__(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """[h, w] without what is removed; infinite and undefined depths go too."""
        depth = np.where(np.isfinite(depth), depth, 0)
        if self.max_depth is not None:
            depth[depth > self.max_depth] = 0
        high, low = (None if p is None else np.percentile(depth, p) for p in (self.max_percentile, self.min_percentile))
        for limit, beyond in ((high, np.greater), (low, np.less)):
            if limit is not None and limit > 0:
                depth[beyond(depth, limit)] = 0
        return depth
