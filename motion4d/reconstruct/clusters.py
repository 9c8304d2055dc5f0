"""k-means of many feature vectors (Lloyd 1982, seeded as k-means++), on whatever device they are."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def cluster(features: Tensor, count: int, *, seed: int = 0, rounds: int = 30) -> Tensor:
    """Features [T, C] -> the cluster [T] of each, 0 to `count` - 1; no more clusters than features."""
    features = features.float()
    centres = _spread(features, min(count, len(features)), seed)
    labels = _nearest(features, centres)
    for _ in range(rounds):
        sums = torch.zeros_like(centres).index_add_(0, labels, features)
        sizes = torch.bincount(labels, minlength=len(centres))[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
        before, labels = labels, _nearest(features, centres)
        if torch.equal(before, labels):
            break
    return labels


def cluster_means(values: Tensor, labels: Tensor) -> Tensor:
    """Values [T] -> [T], each replaced by the mean over its cluster."""
    sizes = torch.bincount(labels)
    sums = values.new_zeros(len(sizes)).index_add_(0, labels, values)
    return (sums / sizes.clamp_min(1))[labels]


def _spread(features: Tensor, count: int, seed: int) -> Tensor:
    """Start centres [count, C], each drawn by its squared distance to those before."""
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(features), (), generator=generator))]
    distance = (features - features[chosen[0]]).square().sum(1)
    for _ in range(count - 1):
        weights = distance.double().cpu()
        if not bool(weights.sum() > 0):  # all that is left equals a centre
            break
        chosen.append(int(_draw(weights, generator)))
        distance = torch.minimum(distance, (features - features[chosen[-1]]).square().sum(1))
    return features[chosen]


def _draw(weights: Tensor, generator: torch.Generator) -> Tensor:
    """An index by weight; torch.multinomial takes no more than 2^24 of them."""
    sums = weights.cumsum(0)
    return torch.searchsorted(sums, sums[-1] * torch.rand((), generator=generator, dtype=torch.float64), right=True)


def _nearest(features: Tensor, centres: Tensor) -> Tensor:
    """[T], by |c|^2 - 2 f c, which orders as the distance does."""
    return (centres.square().sum(1) - 2 * features @ centres.mT).argmin(1)
