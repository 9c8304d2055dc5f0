"""Several datasets as one, each with its share of the clips, whatever their sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import accumulate

import torch

from motion4d.clip import Clip
from motion4d.data.sampling import Clips


class Mixture:
    """Clip k is clip k (modulo the length) of a dataset that is drawn by its share.

    datasets, shares: by the same names; the shares add up to 1. The length is that of the longest dataset, so an epoch
    sees about `share * length` clips of each (Zhou et al. 2026).
    """

    def __init__(self, datasets: Mapping[str, Clips], shares: Mapping[str, float]) -> None:
        if set(datasets) != set(shares):
            raise ValueError(f"the mixture has the datasets {sorted(datasets)}, but shares of {sorted(shares)}")
        if min(shares.values()) < 0 or not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
            raise ValueError(f"the shares of a mixture are at least 0 and add up to 1, but these are {dict(shares)}")
        self.datasets = {name: clips for name, clips in datasets.items() if shares[name] > 0}
        self.ends = list(accumulate(shares[name] for name in self.datasets))

    def __len__(self) -> int:
        """That of the longest dataset."""
        return max(len(clips) for clips in self.datasets.values())

    def __getitem__(self, index: int) -> Clip:
        """One clip; which dataset it comes from is drawn anew every time."""
        drawn = float(torch.rand(()))
        clips = next((c for c, end in zip(self.datasets.values(), self.ends, strict=True) if drawn <= end), None)
        clips = clips or list(self.datasets.values())[-1]  # the shares may add up to a little less than 1
        return clips[index % len(clips)]
