"""The quantile filter of VGGT and PAGE-4D: a loss leaves its largest values out, for truth is wrong at some pixels."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST = 1000  # that a filter may leave
LARGEST = 100.0  # values count as no more
MOST = 100_000_000  # values; of more, a random million


def without_largest(values: Tensor, valid_range: float | None) -> Tensor:
    """values [K] >= 0 -> those below the `valid_range` quantile, if more than 1000 are left; values above 100 are 100.

    Up to 1000 values, and with valid_range None, all of them come back unchanged.
    """
    if valid_range is None or values.numel() <= FEWEST:
        return values
    if values.numel() > MOST:
        values = values[torch.randperm(values.numel(), device=values.device)[:1_000_000]]
    values = values.clamp(max=LARGEST)
    kept = values[values < threshold(values, valid_range)]
    return kept if kept.numel() > FEWEST else values


def threshold(values: Tensor, valid_range: float) -> Tensor:
    """The limit of the filter: the k-th smallest of n values, k = round(valid_range (n - 1)) + 1; 100 at most."""
    k = round(valid_range * (values.numel() - 1)) + 1
    return values.detach().kthvalue(k).values.clamp(max=LARGEST)
