"""Running one case: find its procedure, run it, compare every expected entry."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.reference.compare import Comparison, compare
from tests.reference.manifest import Case, NotCovered

PROCEDURES = Path(__file__).parent / "procedures"

# Outputs by name. A procedure that compares for itself (kinds ending in `_table`) returns Comparison values.
Procedure = Callable[[Case], Mapping[str, Any]]


@dataclass(frozen=True)
class Result:
    """`verdict`: pass, FAIL or SKIP; the worst error and its tolerance (NaN if nothing was compared)."""

    case: Case
    verdict: str
    reason: str = ""
    error: float = math.nan
    limit: float = math.nan


def run(case: Case) -> Result:
    """Run `case`. A kind without a procedure is a SKIP; whatever a procedure raises is a FAIL with that reason."""
    try:
        procedure = procedures_of(case.system).get(case.kind)
        if procedure is None:
            return Result(case, "SKIP", f"no procedure for the kind {case.kind}")
        outputs = procedure(case)
        checks = {key: value for key, value in outputs.items() if isinstance(value, Comparison)}
        for key, how, value in case.expected():
            checks[key] = _check(case, outputs, key, how, value)
    except NotCovered as reason:
        return Result(case, "SKIP", str(reason))
    except (Exception, SystemExit) as error:  # noqa: BLE001  a broken procedure must not end the run
        return Result(case, "FAIL", one_line(error))
    return _judge(case, checks)


def procedures_of(system: str) -> Mapping[str, Procedure]:
    """`PROCEDURES` of a system's module and of those beside it called SYSTEM_PART; empty if the system has none."""
    package = "tests.reference.procedures"
    name = re.sub(r"[^0-9a-zA-Z]", "_", system)
    parts = [part.stem for part in sorted(PROCEDURES.glob(f"{name}_*.py"))]
    found: dict[str, Procedure] = {}
    for module in (f"{package}.{part}" for part in (name, *parts)):
        try:
            found |= getattr(importlib.import_module(module), "PROCEDURES", {})
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    return found


def one_line(error: BaseException) -> str:
    """An exception as one line: its type and the first 200 characters of what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _check(case: Case, outputs: Mapping[str, Any], key: str, how: Mapping[str, Any], expected: Any) -> Comparison:
    name = how.get("output", key)
    if name not in outputs:
        return Comparison(math.nan, 0.0, f"the procedure gave no output {name}; it gave {', '.join(outputs)[:100]}")
    return compare(outputs[name], expected, how, case.tolerance)


def _judge(case: Case, checks: Mapping[str, Comparison]) -> Result:
    if not checks:
        return Result(case, "FAIL", "nothing was compared")
    worst_key, worst = max(checks.items(), key=lambda item: item[1].severity)
    failed = sum(not check.passed for check in checks.values())
    if failed:
        reason = f"{worst_key}: {worst.reason} ({failed} of {len(checks)} entries failed)"
        return Result(case, "FAIL", reason, worst.error, worst.limit)
    return Result(case, "pass", "", worst.error, worst.limit)
