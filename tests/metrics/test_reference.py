"""Depth and trajectory metrics of PAGE-4D's and MonST3R's evaluations."""

from __future__ import annotations

import pytest

from tests.reference.manifest import Case
from tests.reference.procedures import monst3r_metrics, page4d_metrics
from tests.reference.pytest_cases import cases_of, check

CASES = cases_of("page4d", kinds=page4d_metrics.PROCEDURES) + cases_of("monst3r", kinds=monst3r_metrics.PROCEDURES)


@pytest.mark.parametrize("case", CASES)
def test_the_published_evaluation_is_reproduced(case: Case) -> None:
    check(case)
