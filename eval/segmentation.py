"""Score motion masks from anyone: python -m eval.segmentation --protocol davis2016 --annotations A --predictions P.

Masks lie in `A/SEQUENCE/STEM.png` and `P/SEQUENCE/STEM.png` and are matched by stem; any non-zero value is foreground.
A sequence that cannot be scored (missing or extra frames, other sizes, unreadable files) is reported and left out, the
others are scored, and the exit status is 1. Unusable folders give exit status 2.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.files import atomic_path, check_writable, write_json
from motion4d.io.labels import read_labels
from motion4d.layouts.mask_folders import MaskSequence, pair_sequences, sequence_names
from motion4d.metrics.protocols import (
    COLUMNS,
    DAVIS2016,
    FRAMES,
    Protocol,
    SequenceScores,
    mean_over_frames,
    mean_over_sequences,
    score_sequence,
)

PROTOCOLS = {protocol.name: protocol for protocol in (DAVIS2016, FRAMES)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names; returns the exit status."""
    options = _parser().parse_args(arguments)
    protocol = PROTOCOLS[options.protocol]
    try:
        if options.output is not None:
            check_writable(options.output)
        names = _chosen(options)
        pairs = pair_sequences(options.annotations, options.predictions, names)
        scores, failures = score_all(pairs, protocol, extra_allowed=options.ignore_extra)
    except (OSError, ValueError) as error:
        print(f"eval.segmentation: {error}", file=sys.stderr)
        return 2
    for name, reason in failures.items():
        print(f"{name} is not scored: {reason}", file=sys.stderr)
    if scores:
        print(table(scores))
        if options.output is not None:
            write_results(options.output, protocol, scores, failures)
    print(_closing_line(protocol, scores, failures))
    return 1 if failures else 0


def score_all(
    pairs: Iterator[MaskSequence], protocol: Protocol, *, extra_allowed: bool = False
) -> tuple[list[SequenceScores], dict[str, str]]:
    """Scores of the sequences that can be scored, and why the others cannot."""
    scores, failures = [], {}
    for sequence in pairs:
        try:
            scored = protocol.scored(sequence.frames)
            sequence.check_stems(scored, extra_allowed=extra_allowed)
            scores.append(score_sequence(sequence.name, _frames(sequence, scored)))
        except (OSError, ValueError) as error:
            failures[sequence.name] = str(error)
    return scores, failures


def table(scores: Sequence[SequenceScores]) -> str:
    """One aligned line per sequence, then the means over sequences and over frames."""
    rows = [(s.name, len(s.frames), s.row) for s in scores]
    total = sum(len(s.frames) for s in scores)
    rows.append(("mean over sequences", total, mean_over_sequences(scores)))
    rows.append(("mean over frames", total, mean_over_frames(scores)))
    width = max(len(name) for name, _, _ in rows)
    lines = ["  ".join(["sequence".ljust(width), "frames", *(column.rjust(9) for column in COLUMNS)])]
    for name, count, row in rows:
        lines.append("  ".join([name.ljust(width), f"{count:6d}", *(_cell(row, column) for column in COLUMNS)]))
    lines.insert(len(scores) + 1, "-" * len(lines[0]))
    return "\n".join(lines)


def write_results(
    folder: Path, protocol: Protocol, scores: Sequence[SequenceScores], failures: Mapping[str, str]
) -> None:
    """per_frame.csv, per_sequence.csv and metrics.json (protocol, sequences, frame counts, means, failures)."""
    frames = [
        {"sequence": s.name, "frame": stem, "J": j, "F": f}
        for s in scores
        for stem, j, f in zip(s.frames, s.j.tolist(), s.f.tolist(), strict=True)
    ]
    _write_csv(folder / "per_frame.csv", ("sequence", "frame", "J", "F"), frames)
    rows = [{"sequence": s.name, "frames": len(s.frames), **s.row} for s in scores]
    _write_csv(folder / "per_sequence.csv", ("sequence", "frames", *COLUMNS), rows)
    write_json(
        folder / "metrics.json",
        {
            "protocol": protocol.name,
            "sequences": {s.name: len(s.frames) for s in scores},
            "frames": len(frames),
            "mean_over_sequences": _json_numbers(mean_over_sequences(scores)),
            "mean_over_frames": _json_numbers(mean_over_frames(scores)),
            "not_scored": dict(failures),
        },
    )


def _frames(sequence: MaskSequence, stems: Sequence[str]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for stem in stems:
        truth, prediction = read_labels(sequence.truth[stem]), read_labels(sequence.prediction[stem])
        if truth.shape != prediction.shape:
            sizes = [f"{mask.shape[1]}x{mask.shape[0]}" for mask in (truth, prediction)]
            raise ValueError(f"frame {stem}: the annotation is {sizes[0]}, but the prediction is {sizes[1]}")
        yield stem, truth, prediction


def _chosen(options: argparse.Namespace) -> list[str]:
    """The sequences to score: those asked for, else all annotated ones; nothing that is predicted may be left over."""
    if options.sequences:
        return [name for item in options.sequences for name in _names(item)]
    names, predicted = sequence_names(options.annotations), sequence_names(options.predictions)
    left_over = sorted(set(predicted) - set(names))
    if left_over and len(names) > 1 and not options.ignore_extra:
        raise ValueError(f"{options.predictions} has sequences without annotation: {', '.join(left_over[:5])}")
    return names


def _names(item: str) -> list[str]:
    """A sequence name, or the names in a text file (one a line)."""
    return Path(item).read_text(encoding="utf-8").split() if Path(item).is_file() else [item]


def _closing_line(protocol: Protocol, scores: Sequence[SequenceScores], failures: Mapping[str, str]) -> str:
    frames = sum(len(s.frames) for s in scores)
    line = f"protocol {protocol.name}: {len(scores)} sequences, {frames} frames scored"
    return f"{line}; {len(failures)} not scored: {', '.join(failures)}" if failures else line


def _cell(row: Mapping[str, float], column: str) -> str:
    value = row.get(column, math.nan)
    return "-".rjust(9) if math.isnan(value) else f"{value:9.3f}"


def _json_numbers(row: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in row.items()}


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval.segmentation", description="Score motion masks from anyone.")
    parser.add_argument(
        "--protocol",
        choices=sorted(PROTOCOLS),
        default=DAVIS2016.name,
        help="davis2016: without the first and last frame (default); frames: every frame",
    )
    parser.add_argument("--annotations", type=Path, required=True, help="folder SEQUENCE/STEM.png of the truth")
    parser.add_argument("--predictions", type=Path, required=True, help="folder SEQUENCE/STEM.png to score")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these; a text file with names works too")
    parser.add_argument("--ignore-extra", action="store_true", help="accept predictions without annotation")
    parser.add_argument("--output", type=Path, help="folder for per_frame.csv, per_sequence.csv and metrics.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
