"""Sums of absolute deviations, sum |s p + t - g|, over very many values: exact, and fast at points close to each other.

Where neither s nor t moves far, most residuals cannot change their sign: their part of the sum is linear and needs no
second look. `near` keeps the other values only. Values are read in blocks that fit into a cache. No torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_SAMPLE = 20_000  # more values than that are bracketed by what a sixteenth of them says
_BLOCK = 1 << 15


class AbsoluteLoss:
    """p, g [P] float64; fixed: sum sign p, sum sign, sum sign g of values that are left out; shift: t at that time."""

    def __init__(self, p: Values, g: Values, fixed: Values | None = None, shift: float = 0.0) -> None:
        self.p = p
        self.g = g
        self.fixed = np.zeros(3) if fixed is None else fixed
        self.shift = shift

    def near(self, s: float, t: float, *, radius: float) -> AbsoluteLoss:
        """The same sum for scales and shifts within `radius` of s and t."""
        return self.kept(s, t, lambda p: radius * (np.abs(p) + 1))

    def kept(self, s: float, t: float, reach: Callable[[Values], Values]) -> AbsoluteLoss:
        """The same sum where the residuals of p differ by at most reach(p) from those at s and t."""
        near, linear = [], np.zeros(3)
        for p, g in self._blocks():
            residual = s * p + t - g
            close = np.abs(residual) <= reach(p)
            far = np.where(close, 0.0, np.sign(residual))
            linear += (far @ p, far.sum(), far @ g)
            near.append((p[close], g[close]))
        kept_p, kept_g = (np.concatenate(parts) for parts in zip(*near, strict=True))
        return AbsoluteLoss(kept_p, kept_g, self.fixed + linear, t)

    def at(self, s: float, t: float) -> tuple[float, Values]:
        """The sum, and its derivatives (sum sign p, sum sign) by s and t."""
        total, slope = float(self.fixed @ (s, t, -1.0)), self.fixed[:2].copy()
        for p, g in self._blocks():
            residual = s * p + t - g
            sign = np.sign(residual)
            total += float(sign @ residual)
            slope += (sign @ p, sign.sum())
        return total, slope

    def _blocks(self) -> Iterator[tuple[Values, Values]]:
        """p and g in parts; one empty part if there is nothing."""
        for start in range(0, max(1, len(self.p)), _BLOCK):
            yield self.p[start : start + _BLOCK], self.g[start : start + _BLOCK]

    def best_shift(self, s: float) -> tuple[float, float]:
        """The t with the least sum for this s, and the derivative by s of that least sum."""
        rest = self.g - s * self.p
        if not len(rest):
            return self.shift, float(self.fixed[0])
        place = int(np.clip((len(rest) - 1 - self.fixed[1]) // 2, 0, len(rest) - 1))
        t = float(np.partition(rest, place)[place])
        sign = np.sign(t - rest)
        slope = self.fixed[0] + sign @ self.p
        ties = self.p[sign == 0]  # their signs are what makes the derivative by t vanish
        return t, float(slope - (self.fixed[1] + sign.sum()) * ties.mean())


def least_scale(p: Values, g: Values) -> float:
    """The s with the least sum |s p - g|; p is not all 0."""
    around = least_scale(*_thinned(p, g)) if len(p) > _SAMPLE else float(np.abs(g).sum() / np.abs(p).sum())
    loss = AbsoluteLoss(p, g)
    low, high = _bracket(lambda s: float(loss.at(s, 0.0)[1][0]), around)
    while low < (s := (low + high) / 2) < high:
        loss = loss.kept(s, 0.0, partial(_moved, high - low))
        low, high = (low, s) if loss.at(s, 0.0)[1][0] > 0 else (s, high)
    return s


def least_scale_shift(p: Values, g: Values, *, around: float) -> tuple[float, float]:
    """The s and t with the least sum |s p + t - g|; around: a guess of s."""
    if len(p) > _SAMPLE:
        around = least_scale_shift(*_thinned(p, g), around=around)[0]
    loss, least, largest = AbsoluteLoss(p, g), float(p.min()), float(p.max())
    low, high = _bracket(lambda s: loss.best_shift(s)[1], around)
    while low < (s := (low + high) / 2) < high:
        t, slope = loss.best_shift(s)
        loss = loss.kept(s, t, partial(_moved_with_shift, high - low, least, largest))
        low, high = (low, s) if slope > 0 else (s, high)
    return s, loss.best_shift(s)[0]


def _moved(by: float, p: Values) -> Values:
    """How far residuals move at most while s moves by `by`."""
    return by * np.abs(p)


def _moved_with_shift(by: float, least: float, largest: float, p: Values) -> Values:
    """The same with the best t, which moves by -`by` times something between the least and the largest p."""
    return by * np.maximum(largest - p, p - least)


def _thinned(p: Values, g: Values) -> tuple[Values, Values]:
    return p[::16], g[::16]


def _bracket(slope: Callable[[float], float], around: float) -> tuple[float, float]:
    """Two numbers between which the growing function `slope` goes through 0, by steps that become twice as long."""
    step = max(abs(around), 1e-6) * 1e-3
    side = 1 if slope(around) < 0 else -1
    near = far = around
    for _ in range(60):
        near, far, step = far, far + side * step, 2 * step
        if side * slope(far) >= 0:
            break
    return min(near, far), max(near, far)
