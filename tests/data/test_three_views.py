"""The three views of GeoMotion's training clips."""

import pytest

from tests.reference.pytest_cases import cases_of, check

KINDS = ["stop_trajectory", "triview", "triview_crop", "triview_edge_colour"]


@pytest.mark.parametrize("case", cases_of("geomotion", kinds=KINDS))
def test_reference(case) -> None:
    check(case)
