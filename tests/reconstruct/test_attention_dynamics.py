"""Easi3R: what moves, from the attention of a pair network alone."""

import pytest

from tests.reference.manifest import Case
from tests.reference.procedures.monst3r_dynamics import PROCEDURES
from tests.reference.pytest_cases import cases_of, check


@pytest.mark.parametrize("case", cases_of("monst3r", kinds=PROCEDURES))
def test_reference(case: Case):
    check(case)
