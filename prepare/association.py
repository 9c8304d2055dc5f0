"""Matching what was recorded at slightly different times, as published for TUM RGB-D, by sorted search. No torch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence


def matches(first: Iterable[float], second: Iterable[float], limit: float) -> list[tuple[float, float]]:
    """Pairs of stamps less than `limit` seconds apart, each stamp at most once, in the order of the first.

    The closest pair is taken first, and so on (of equally close ones that with the smaller stamps). Only neighbours in
    time are looked at: n log n instead of all n m pairs, with the same result.
    """
    ordered = sorted(set(second))
    near = [
        (abs(stamp - other), stamp, other)
        for stamp in set(first)
        for other in _within(ordered, stamp, limit)
        if abs(stamp - other) < limit
    ]
    taken: dict[float, float] = {}
    used: set[float] = set()
    for _, stamp, other in sorted(near):
        if stamp not in taken and other not in used:
            taken[stamp] = other
            used.add(other)
    return sorted(taken.items())


def nearest(ordered: Sequence[float], stamp: float, limit: float) -> float | None:
    """The one of the sorted stamps that is nearest to `stamp`, the later of two; None if it is over `limit` away."""
    place = bisect_left(ordered, stamp)
    candidates = ordered[max(0, place - 1) : place + 1]
    best = min(reversed(candidates), key=lambda other: abs(other - stamp), default=None)
    return best if best is not None and abs(best - stamp) <= limit else None


def _within(ordered: Sequence[float], stamp: float, limit: float) -> Sequence[float]:
    """Those from `limit` before to `limit` after, and the next ones, lest a rounded bound cuts one off."""
    return ordered[max(0, bisect_left(ordered, stamp - limit) - 1) : bisect_left(ordered, stamp + limit) + 1]
