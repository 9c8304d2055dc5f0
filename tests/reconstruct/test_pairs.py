"""Pair graphs: the published lists, and what the alignment relies on."""

import pytest

from motion4d.reconstruct.pairs import are_symmetric, closer_than, complete, logarithmic, sliding, star
from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=["pair_graphs"]))
def test_reference(case: Case):
    check(case)


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize("frames", [2, 3, 7, 20])
def test_pairs_are_unique_and_the_second_half_is_the_first_one_reversed(frames, cyclic):
    for pairs in (
        complete(frames),
        sliding(frames, cyclic=cyclic),
        sliding(frames, window=12, step=1, cyclic=cyclic),
        logarithmic(frames, window=4, cyclic=cyclic),
    ):
        assert len(set(pairs)) == len(pairs)
        assert are_symmetric(pairs)
        assert all(i != j and min(i, j) >= 0 and max(i, j) < frames for i, j in pairs)
        assert {frame for pair in pairs for frame in pair} == set(range(frames))


def test_monst3rs_own_graph_has_600_pairs_for_65_frames():
    assert len(sliding(65)) == 600


def test_a_distance_on_the_circle():
    pairs = [(0, 1), (0, 4), (0, 9), (2, 9)]
    assert closer_than(pairs, 1, frames=10) == [(0, 1)]
    assert closer_than(pairs, 3, frames=10, cyclic=True) == [(0, 1), (0, 9), (2, 9)]


def test_a_star_needs_its_reference():
    assert star(3, reference=1, itself=True) == [(1, 1), (1, 0), (1, 2)]
    with pytest.raises(ValueError, match="frame 3 cannot be the reference of 3 frames"):
        star(3, reference=3)
