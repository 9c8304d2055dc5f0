"""How much, and how unevenly, a clip's frames look at each token of a frame: Easi3R's dynamic map (Chen et al. 2025).

A pair network sees a moving object's tokens differently from pair to pair. Of every frame a, two kinds of maps are
averaged: "sought", how much the first images of the pairs (., a) look at the tokens of a, and "referred", how much the
second images of the pairs (a, .) do. Mean and deviation over the pairs, scaled to [0, 1], make the map

    dynamic = (1 - mean sought) * deviation sought * mean referred * (1 - deviation referred).

Only running sums are kept, so memory grows with the frames and not with the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_EPSILON = 1e-6


@dataclass(frozen=True)
class FusedAttention:
    """All [N, h, w] in [0, 1]: means and deviations over the pairs, and what they say of motion."""

    mean_sought: Tensor
    deviation_sought: Tensor
    mean_referred: Tensor
    deviation_referred: Tensor

    @property
    def dynamic(self) -> Tensor:
        """[N, h, w]: 0 at a frame's most static token, 1 at its most dynamic one; 0 throughout if all are alike."""
        sought = (1 - self.mean_sought) * self.deviation_sought
        return scaled_per_frame(sought * self.mean_referred * (1 - self.deviation_referred))


class AttentionStatistics:
    """A `WatchAttention` that sums up over the pairs; `frames` N is how many there are."""

    def __init__(self, frames: int) -> None:
        self._sought = _Moments(frames)
        self._referred = _Moments(frames)

    def __call__(self, pairs: Sequence[tuple[int, int]], first: Tensor, second: Tensor) -> None:
        """Maps [P, h, w, C] of the pairs (i, j): over the tokens of j, and over those of i."""
        for k, (i, j) in enumerate(pairs):
            self._sought.add(j, first[k])
            self._referred.add(i, second[k])

    @property
    def least(self) -> int:
        """How many maps of each kind the worst frame has; a deviation needs two."""
        return min(self._sought.counts + self._referred.counts)

    def fused(self) -> FusedAttention:
        """The four maps of every frame; a frame without maps counts as looked at on average."""
        return FusedAttention(
            *(_scaled_channels(values) for m in (self._sought, self._referred) for values in (m.mean, m.deviation))
        )


class _Moments:
    """Running mean and spread of the maps of each frame (Welford)."""

    def __init__(self, frames: int) -> None:
        self.counts = [0] * frames
        self._mean: Tensor | None = None
        self._squares: Tensor | None = None

    def add(self, frame: int, values: Tensor) -> None:
        if self._mean is None or self._squares is None:
            self._mean = values.new_zeros(len(self.counts), *values.shape)
            self._squares = torch.zeros_like(self._mean)
        values = values.clone()
        values[0, 0] = (values[0, :2][-1] + values[:2, 0][-1]) / 2  # the first token of a ViT says nothing of its place
        self.counts[frame] += 1
        change = values - self._mean[frame]
        self._mean[frame] += change / self.counts[frame]
        self._squares[frame] += change * (values - self._mean[frame])

    @property
    def mean(self) -> Tensor:
        assert self._mean is not None
        mean, seen = self._mean.clone(), torch.tensor(self.counts, device=self._mean.device) > 0
        mean[~seen] = mean[seen].mean(0)
        return mean

    @property
    def deviation(self) -> Tensor:
        """Unbiased; 0 for a frame with one map."""
        assert self._squares is not None
        counts = self._squares.new_tensor(self.counts).clamp_min(2)[:, None, None, None]
        return (self._squares / (counts - 1)).sqrt()


def scaled_per_frame(maps: Tensor) -> Tensor:
    """[N, h, w], each frame from 0 to 1."""
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    return (maps - low) / (high - low + _EPSILON)


def _scaled_channels(values: Tensor) -> Tensor:
    """[N, h, w, C] -> [N, h, w]: scaled over everything, averaged over the channels, scaled again."""
    return _scaled(_scaled(values).mean(-1))


def _scaled(values: Tensor) -> Tensor:
    low, high = values.amin(), values.amax()
    return (values - low) / (high - low + _EPSILON)
