"""Score motion masks from anyone: python -m eval.segmentation --protocol davis2016 --annotations A --predictions P.

Masks lie in `A/SEQUENCE/STEM.png` and `P/SEQUENCE/STEM.png` and are matched by stem. A sequence that cannot be scored
(missing or extra frames, other sizes, unreadable files) is reported and left out, the others are scored, and the exit
status is 1. Unusable folders give exit status 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from eval.command import run
from motion4d.layouts.mask_folders import by_position, mask_files, sequence_names
from motion4d.metrics.fbms import PUBLISHED_THRESHOLD, score_fbms
from motion4d.metrics.folders import FolderScores, score_folder, some
from motion4d.metrics.protocols import DAVIS2016, PROTOCOLS, Protocol


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names; returns the exit status."""
    return run("eval.segmentation", _parser().parse_args(arguments), lambda options: SCORERS[options.protocol](options))


def _score_masks(protocol: Protocol, options: argparse.Namespace) -> FolderScores:
    names = _chosen(options)
    annotations, predictions = mask_files(options.annotations, names), mask_files(options.predictions, names)
    unknown = [name for name, files in annotations.items() if not files]
    if unknown:
        raise ValueError(f"{options.annotations} has no masks of {some(unknown)}")
    if options.positions is not None:
        predictions = {
            name: by_position(files, options.positions, list(annotations[name])) for name, files in predictions.items()
        }
    return score_folder(
        protocol, annotations, predictions, processes=options.processes, extra_allowed=options.ignore_extra
    )


def _score_fbms(options: argparse.Namespace) -> FolderScores:
    names = [name for item in options.sequences for name in _names(item)] if options.sequences else None
    return score_fbms(
        options.annotations,
        options.predictions,
        names,
        threshold=options.extracted_from,
        first_frame=options.first_frame,
        processes=options.processes,
    )


SCORERS: Mapping[str, Callable[[argparse.Namespace], FolderScores]] = {
    **{protocol.name: partial(_score_masks, protocol) for protocol in PROTOCOLS},
    "fbms": _score_fbms,
}
ABOUT = {
    **{protocol.name: protocol.about for protocol in PROTOCOLS},
    "fbms": "F-measure of FBMS-59: the archive's Def.dat; predictions are label images or track files",
}


def _chosen(options: argparse.Namespace) -> list[str]:
    """The sequences to score: those asked for, else all annotated ones; nothing that is predicted may be left over."""
    if options.sequences:
        return [name for item in options.sequences for name in _names(item)]
    names, predicted = sequence_names(options.annotations), sequence_names(options.predictions)
    left_over = sorted(set(predicted) - set(names))
    if left_over and len(names) > 1 and not options.ignore_extra:
        raise ValueError(f"{options.predictions} has sequences without annotation: {', '.join(left_over)}")
    return names


def _names(item: str) -> list[str]:
    """A sequence name, or the names in a text file (one a line)."""
    return Path(item).read_text(encoding="utf-8").split() if Path(item).is_file() else [item]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.segmentation",
        description="Score motion masks from anyone.",
        epilog="protocols:\n" + "\n".join(f"  {name:24s}{about}" for name, about in ABOUT.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--protocol", choices=sorted(SCORERS), default=DAVIS2016.name, help="default: %(default)s")
    parser.add_argument("--annotations", type=Path, required=True, help="folder SEQUENCE/STEM.png of the truth")
    parser.add_argument("--predictions", type=Path, required=True, help="folder SEQUENCE/STEM.png to score")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these; a text file with names works too")
    parser.add_argument("--ignore-extra", action="store_true", help="accept predictions without annotation")
    parser.add_argument(
        "--positions",
        metavar="PATTERN",
        help="predictions are named by position (from 0), not by stem: dynamic_mask_* is Easi3R's",
    )
    parser.add_argument("--first-frame", type=int, default=0, metavar="N", help="fbms: first number in predicted names")
    parser.add_argument(
        "--extracted-from", type=float, default=PUBLISHED_THRESHOLD, metavar="F", help="fbms: when an object is found"
    )
    parser.add_argument("--per-sequence", action="store_true", help="print a line per sequence or object, too")
    parser.add_argument("--processes", type=int, metavar="N", help="default: one per core, fewer for little work")
    parser.add_argument("--output", type=Path, help="folder for per_frame.csv, per_sequence.csv and metrics.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
