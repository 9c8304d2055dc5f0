"""Tables of the scoring commands: printed, and as files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motion4d.io.files import atomic_path, write_json
from motion4d.metrics.folders import FolderScores


def table(scores: FolderScores, *, per_sequence: bool) -> str:
    """One aligned line per way of pooling, the protocol's own first; before them one per sequence or object."""
    total = sum(scores.sequences.values())
    rows = [(_label(row), row["frames"], row) for row in scores.rows] if per_sequence else []
    pooled = [(name, total, row) for name, row in scores.poolings.items()]
    width = max(len(name) for name, _, _ in [*rows, *pooled])
    widths = [max(len(column), 7) for column in scores.columns]
    lines = [
        "  ".join([name.ljust(width), f"{frames:6d}", *map(_cell, (row.get(c) for c in scores.columns), widths)])
        for name, frames, row in [*rows, *pooled]
    ]
    head = "  ".join(["".ljust(width), "frames", *(c.rjust(w) for c, w in zip(scores.columns, widths, strict=True))])
    rule = ["-" * len(head)] if rows else []
    return "\n".join([head, *lines[: len(rows)], *rule, *lines[len(rows) :]])


def write_results(folder: Path, scores: FolderScores) -> None:
    """per_frame.csv (if frames have scores), per_sequence.csv and metrics.json (protocol, sequences, pooled rows)."""
    if scores.frame_rows:
        write_csv(folder / "per_frame.csv", list(scores.frame_rows[0]), scores.frame_rows)
    objects = ("object",) if any(row["object"] is not None for row in scores.rows) else ()
    rows = [{name: row[name] for name in ("sequence", *objects, "frames", *scores.columns)} for row in scores.rows]
    write_csv(folder / "per_sequence.csv", list(rows[0]), rows)
    pooled = {name.replace(" ", "_"): _json_numbers(row) for name, row in scores.poolings.items()}
    write_json(
        folder / "metrics.json",
        {
            "protocol": scores.protocol,
            "about": scores.about,
            "sequences": scores.sequences,
            "frames": sum(scores.sequences.values()),
            "overall": _json_numbers(scores.overall),
            **pooled,
            "not_scored": scores.failures,
        },
    )


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows under a head line, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _label(row: Mapping[str, Any]) -> str:
    return row["sequence"] if row["object"] is None else f"{row['sequence']}_{row['object']}"


def _cell(value: float | None, width: int) -> str:
    if value is None or math.isnan(value):
        return "-".rjust(width)
    return str(value).rjust(width) if isinstance(value, int) else f"{value:{width}.3f}"


def _json_numbers(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in row.items()}
