"""What a check says of a sample: a verdict, a sentence, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Verdict(IntEnum):
    """From good to bad, so that the largest of several is theirs together."""

    PASS = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True)
class Finding:
    """check: what was looked at, as the tables name it; sentence: what was found, and after FAIL what is wrong."""

    check: str
    verdict: Verdict
    sentence: str
    values: Mapping[str, float] = field(default_factory=dict)


def overall(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict of all; PASS if there is none."""
    return max((finding.verdict for finding in findings), default=Verdict.PASS)


def worst(check: str, problems: Iterable[tuple[Verdict, str]], good: str, values: Mapping[str, float]) -> Finding:
    """One finding of a check that may have found several problems: the worst verdict, all sentences of that verdict.

    good: the sentence if there are none.
    """
    listed = list(problems)
    verdict = max((verdict for verdict, _ in listed), default=Verdict.PASS)
    sentence = "; ".join(text for one, text in listed if one == verdict) or good
    return Finding(check, verdict, sentence, values)
