"""Matching stamps by sorted search gives what looking at all pairs gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prepare.association import matches, nearest

TICKS = st.lists(st.integers(0, 40), max_size=15).map(lambda ticks: [tick / 100 for tick in ticks])


def all_pairs(first: list[float], second: list[float], limit: float) -> list[tuple[float, float]]:
    """As published: every pair is looked at."""
    pairs = sorted((abs(a - b), a, b) for a in set(first) for b in set(second) if abs(a - b) < limit)
    found: list[tuple[float, float]] = []
    for _, a, b in pairs:
        if a not in [one for one, _ in found] and b not in [other for _, other in found]:
            found.append((a, b))
    return sorted(found)


@given(TICKS, TICKS, st.sampled_from([0.0, 0.01, 0.02, 0.05, 1.0]))
def test_matches(first: list[float], second: list[float], limit: float) -> None:
    assert matches(first, second, limit) == all_pairs(first, second, limit)


@given(TICKS.map(sorted), st.integers(0, 40).map(lambda tick: tick / 100), st.sampled_from([0.0, 0.01, 0.04, 1.0]))
def test_nearest(ordered: list[float], stamp: float, limit: float) -> None:
    best = None
    for other in ordered:  # of equal ones the last wins
        if best is None or abs(other - stamp) <= abs(best - stamp):
            best = other
    assert nearest(ordered, stamp, limit) == (best if best is not None and abs(best - stamp) <= limit else None)
