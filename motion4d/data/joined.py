"""Several datasets as one: a mixture in proportion to their lengths."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from motion4d.clip import Clip
from motion4d.data.sampling import Clips


class Joined:
    """The clips of all `datasets`, one dataset after the other."""

    def __init__(self, datasets: Sequence[Clips]) -> None:
        self.datasets = list(datasets)
        self.ends = list(accumulate(len(clips) for clips in self.datasets))

    def __len__(self) -> int:
        """Number of clips."""
        return self.ends[-1] if self.ends else 0

    def __getitem__(self, index: int) -> Clip:
        """One clip."""
        if not 0 <= index < len(self):
            raise IndexError(f"clip {index} of {len(self)}")
        which = bisect_right(self.ends, index)
        return self.datasets[which][index - (self.ends[which - 1] if which else 0)]
