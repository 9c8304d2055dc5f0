"""What every scoring command does around its scores: print, write, and an exit status that tells the truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from eval.tables import table, write_results
from motion4d.io.files import check_writable
from motion4d.metrics.folders import FolderScores


def run(command: str, options: argparse.Namespace, score: Callable[[argparse.Namespace], FolderScores]) -> int:
    """Score, print, write; returns the exit status: 1 if a sequence is not scored, 2 if nothing can be.

    options: has `output`, a folder or None, and `per_sequence`.
    """
    try:
        if options.output is not None:
            check_writable(options.output)
        scores = score(options)
    except (OSError, ValueError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 2
    for name, reason in scores.failures.items():
        print(f"{name} is not scored: {reason}", file=sys.stderr)
    if scores.rows:
        print(table(scores, per_sequence=options.per_sequence))
        if options.output is not None:
            write_results(options.output, scores)
    print(_closing_line(scores))
    return 1 if scores.failures else 0


def _closing_line(scores: FolderScores) -> str:
    sequences = scores.sequences
    line = f"protocol {scores.protocol}: {len(sequences)} sequences, {sum(sequences.values())} frames scored"
    return f"{line}; {len(scores.failures)} not scored: {', '.join(scores.failures)}" if scores.failures else line
