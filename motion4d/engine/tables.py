"""Aligned tables for the console, Markdown and CSV, from rows that are plain dicts. No torch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def columns_of(rows: Sequence[Row]) -> list[str]:
    """All keys of the rows, in order of first appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def aligned(rows: Sequence[Row]) -> str:
    """Text columns flush left, numbers flush right; missing values are '-'."""
    names = columns_of(rows)
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    numeric = [all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in names]
    widths = [max(len(text) for text in column) for column in zip(names, *cells, strict=True)]

    def line(texts: Sequence[str]) -> str:
        padded = zip(texts, widths, numeric, strict=True)
        return "  ".join(t.rjust(w) if right else t.ljust(w) for t, w, right in padded).rstrip()

    return "\n".join([line(names), "  ".join("-" * width for width in widths), *map(line, cells)])


def markdown(rows: Sequence[Row]) -> str:
    """The same as a Markdown table."""
    names = columns_of(rows)
    cells = [[_text(row.get(name)).replace("|", "\\|") for name in names] for row in rows]
    return "\n".join("| " + " | ".join(texts) + " |" for texts in [names, ["---"] * len(names), *cells])


def comma_separated(rows: Sequence[Row]) -> str:
    """The same as CSV text, full precision, missing values empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns_of(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([{key: "" if _is_missing(value) else value for key, value in row.items()} for row in rows])
    return buffer.getvalue()


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _text(value: Any) -> str:
    if _is_missing(value):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
