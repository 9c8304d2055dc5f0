"""`python -m tests.reference DIR...`: run every case of these folders, one line each; see --help.

Exit status: 0 if at least one case ran and none failed; 1 if one failed or none ran; 2 if a folder cannot be read.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.reference.manifest import HOME, Case, folders_below, load
from tests.reference.runner import Result, one_line, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that the command line chooses; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        cases = [case for path in options.folders for folder in folders_below(path) for case in load(folder)]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        print(f"cannot read the cases: {one_line(error)}", file=sys.stderr)
        return 2
    chosen = [case for case in cases if _matches(case.kind, options.kind) and _matches(case.name, options.name)]
    counts = _run_all(chosen, slow=options.slow)
    print(f"{len(chosen)} cases: {counts['pass']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 0 if counts["pass"] and not counts["FAIL"] else 1


def _run_all(cases: Sequence[Case], *, slow: bool) -> Counter[str]:
    counts: Counter[str] = Counter()
    widths = [max((len(text) for text in column), default=0) for column in zip(*map(_labels, cases), strict=True)]
    for case in cases:
        result = Result(case, "SKIP", "slow: add --slow") if case.slow and not slow else run(case)
        counts[result.verdict] += 1
        print(_line(result, widths), flush=True)
    return counts


def _labels(case: Case) -> tuple[str, str, str]:
    return case.system, case.name, case.kind


def _line(result: Result, widths: Sequence[int]) -> str:
    labels = "  ".join(text.ljust(width) for text, width in zip(_labels(result.case), widths, strict=True))
    line = f"{labels}  {_number(result.error):>9}  {_number(result.limit):>9}  {result.verdict}"
    return f"{line}  {result.reason}" if result.reason else line


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2e}" if value else "0"


def _matches(text: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reference",
        description="Run reference cases. Columns: system, name, kind, worst error, its tolerance, verdict, reason.",
    )
    parser.add_argument(
        "folders", nargs="*", type=Path, default=[HOME], metavar="DIR", help="folders with a cases.json, or above such"
    )
    parser.add_argument("--slow", action="store_true", help="also run the full-size cases")
    parser.add_argument("--kind", action="append", default=[], metavar="PATTERN", help="only these kinds (fnmatch)")
    parser.add_argument("--name", action="append", default=[], metavar="PATTERN", help="only these names (fnmatch)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
