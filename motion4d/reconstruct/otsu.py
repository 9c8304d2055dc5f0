"""Cutting a histogram into classes with the largest variance between them (Otsu 1979; Liao et al. 2001)."""

from __future__ import annotations

import torch
from torch import Tensor


def highest_threshold(values: Tensor, *, classes: tuple[int, ...] = (2, 3, 4), bins: int = 256) -> float:
    """Above which the top class of `values` (any shape) begins, with the number of classes that sets them best apart.

    Easi3R's score: the variance of the class means over the root of their number. Values that are all alike are below.
    """
    flat = values.detach().flatten().float().cpu()
    low, high = float(flat.min()), float(flat.max())
    if not high > low:
        return high
    weights = torch.histc(flat, bins, low, high).double() / len(flat)
    centres = low + (torch.arange(bins, dtype=torch.float64) + 0.5) * (high - low) / bins
    best, chosen = -1.0, high
    for count in classes:
        cuts = otsu_cuts(weights, centres, count)
        edges = [0, *cuts, bins]
        masses = [weights[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        means = [(m * c).sum() / m.sum() for m, c in zip(masses, _split(centres, edges), strict=True) if m.sum() > 0]
        score = float(torch.stack(means).var(unbiased=False)) / count**0.5
        if score > best:
            best, chosen = score, float(centres[cuts[-1] - 1])
    return chosen


def otsu_cuts(weights: Tensor, centres: Tensor, classes: int) -> list[int]:
    """The first bins of all classes but the lowest: the partition of the histogram with the largest sum of w m^2."""
    bins = len(weights)
    mass = torch.cat((weights.new_zeros(1), weights.cumsum(0)))
    moment = torch.cat((weights.new_zeros(1), (weights * centres).cumsum(0)))
    gain = (moment[None] - moment[:, None]).square() / (mass[None] - mass[:, None]).clamp_min(1e-12)  # of bins a .. b-1
    gain = gain.masked_fill(torch.ones_like(gain, dtype=torch.bool).tril(), -torch.inf)
    best, back = gain[0], []
    for _ in range(classes - 1):
        best, came_from = (best[:, None] + gain).max(0)
        back.append(came_from)
    cuts = [bins]
    for came_from in reversed(back):
        cuts.insert(0, int(came_from[cuts[0]]))
    return cuts[:-1]


def _split(values: Tensor, edges: list[int]) -> list[Tensor]:
    return [values[a:b] for a, b in zip(edges, edges[1:], strict=False)]
