"""Reference cases as pytest tests.

@pytest.mark.parametrize("case", cases_of("flow", kinds=["raft_forward"]))
def test_reference(case):
    check(case)
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from tests.reference.manifest import HOME, Case, load
from tests.reference.runner import run


def cases_of(system: str, *, kinds: Collection[str] | None = None) -> list:
    """The cases in tests/reference/<system>/ as pytest parameters; the slow ones carry the slow mark."""
    chosen = [case for case in load(HOME / system) if kinds is None or case.kind in kinds]
    if not chosen:
        raise ValueError(f"tests/reference/{system} has no case of the kinds {sorted(kinds or ())}")
    return [pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in chosen]


def check(case: Case) -> None:
    """Run `case` and fail unless it passes; what the project does not cover is skipped."""
    result = run(case)
    if result.verdict == "SKIP":
        pytest.skip(result.reason)
    assert result.verdict == "pass", f"{result.reason} (error {result.error:.3g}, tolerance {result.limit:.3g})"
