"""Which pairs of a clip's N frames to look at: the published scene graphs as plain functions.

Every function returns ordered pairs (i, j) without repetition. `symmetric` appends the reverse of every pair, in the
same order, so that the reverse of pair k is pair k + half: what dynamic masks need. Cyclic windows close the loop from
the last frame to the first.

| published name | here |
|---|---|
| complete | complete |
| swin-W, swinstride-W, swin2stride-W | sliding(window=W, step=1, 2, 3) |
| swinskip_start-W | sliding(window=W, first=2) |
| logwin-W | logarithmic(window=W) |
| oneref-R, oneref_mid | star(reference=R, itself=True), star(reference=None) |
| prefilter seqD, cycD | closer_than(distance=D, cyclic=False, True) |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Pairs = list[tuple[int, int]]


def complete(frames: int, *, symmetric: bool = True) -> Pairs:
    """Every frame with every other; the later frame comes first."""
    return _finish([(i, j) for i in range(frames) for j in range(i)], symmetric)


def sliding(
    frames: int, *, window: int = 5, first: int = 1, step: int = 2, cyclic: bool = False, symmetric: bool = True
) -> Pairs:
    """Every frame with those `first`, `first + step`, ... ahead, `window` of them; the defaults are MonST3R's."""
    return _ahead(frames, range(first, first + step * window, step), cyclic, symmetric)


def logarithmic(frames: int, *, window: int = 3, cyclic: bool = False, symmetric: bool = True) -> Pairs:
    """Every frame with those 1, 2, 4, ... ahead, `window` of them."""
    return _ahead(frames, [2**power for power in range(window)], cyclic, symmetric)


def star(frames: int, *, reference: int | None = 0, itself: bool = False, symmetric: bool = False) -> Pairs:
    """The reference with every frame; None: the middle one. `itself`: with itself too, which gives its own pointmap."""
    reference = frames // 2 if reference is None else reference
    if not 0 <= reference < frames:
        raise ValueError(f"frame {reference} cannot be the reference of {frames} frames")
    others = [(reference, j) for j in range(frames) if j != reference]
    return ([(reference, reference)] if itself else []) + _finish(others, symmetric)


def closer_than(pairs: Sequence[tuple[int, int]], distance: int, *, frames: int, cyclic: bool = False) -> Pairs:
    """Those pairs whose frames are at most `distance` apart; `cyclic`: on the circle of all frames."""

    def apart(i: int, j: int) -> int:
        straight = abs(i - j)
        return min(straight, frames - straight) if cyclic else straight

    return [(i, j) for i, j in pairs if apart(i, j) <= distance]


def are_symmetric(pairs: Sequence[tuple[int, int]]) -> bool:
    """The second half of the pairs is the reverse of the first one."""
    half = len(pairs) // 2
    return len(pairs) % 2 == 0 and [(j, i) for i, j in pairs[:half]] == [tuple(pair) for pair in pairs[half:]]


def _ahead(frames: int, offsets: Iterable[int], cyclic: bool, symmetric: bool) -> Pairs:
    targets = ((i, i + offset) for i in range(frames) for offset in offsets)
    if cyclic:
        pairs = {(min(i, j % frames), max(i, j % frames)) for i, j in targets}
    else:
        pairs = {(i, j) for i, j in targets if j < frames}
    return _finish(sorted((i, j) for i, j in pairs if i != j), symmetric)


def _finish(pairs: Pairs, symmetric: bool) -> Pairs:
    return pairs + [(j, i) for i, j in pairs] if symmetric else pairs
