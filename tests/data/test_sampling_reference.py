"""PAGE-4D's training samples: the published cases."""

from __future__ import annotations

import pytest

from tests.reference.manifest import Case
from tests.reference.pytest_cases import cases_of, check

KINDS = ["process_image", "threshold_depth", "target_shape", "frame_window", "dataset_intrinsics"]


@pytest.mark.parametrize("case", cases_of("page4d", kinds=KINDS))
def test_reference(case: Case) -> None:
    check(case)
