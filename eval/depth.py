"""Score depth maps from anyone: python -m eval.depth --protocol sintel --truth T --predictions P.

Maps lie in FOLDER/SEQUENCE/STEM.npy (or .npz, or 16-bit .png), or all of a sequence in FOLDER/SEQUENCE.npz (or .npy);
motion4d.layouts.depth_folders has every form. Instead of --truth, --dataset NAME --root R reads a data set that
python -m prepare.NAME has put there. A sequence that cannot be scored is reported and left out, the others are scored,
and the exit status is 1. Unusable folders give exit status 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from eval.command import run
from eval.datasets import true_depth
from eval.geometry import chosen, parser, truth_of
from motion4d.layouts.depth_folders import depth_sequences
from motion4d.metrics.depth_alignment import ALIGNMENTS
from motion4d.metrics.depth_folders import score_depth_folder
from motion4d.metrics.depth_protocols import DEPTH_PROTOCOLS, DepthProtocol, depth_protocol_named
from motion4d.metrics.folders import FolderScores


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names; returns the exit status."""
    return run("eval.depth", _parser().parse_args(arguments), _score)


def _score(options: argparse.Namespace) -> FolderScores:
    truths = truth_of(options, partial(depth_sequences, per_unit=options.truth_per_unit), true_depth)
    predictions = depth_sequences(options.predictions, options.predictions_per_unit)
    names = chosen(truths, predictions, options)
    if len(truths) == len(predictions) == 1:
        predictions = dict(zip(truths, predictions.values(), strict=True))
    return score_depth_folder(
        _protocol(options), {name: truths[name] for name in names}, predictions, processes=options.processes
    )


def _protocol(options: argparse.Namespace) -> DepthProtocol:
    """The protocol of that name, with what the options change of it, which its name then says."""
    protocol = depth_protocol_named(options.protocol)
    if options.alignment is not None:
        alignment = ALIGNMENTS[options.alignment]
        protocol = replace(protocol, alignment=alignment, name=f"{protocol.name}, alignment {options.alignment}")
    if options.max_depth is not None:
        limit = options.max_depth or None
        protocol = replace(protocol, max_depth=limit, name=f"{protocol.name}, max depth {options.max_depth:g}")
    if options.disparity:
        protocol = replace(protocol, disparity=True, name=f"{protocol.name}, disparity")
    return protocol


def _parser() -> argparse.ArgumentParser:
    about = {protocol.name: protocol.about for protocol in DEPTH_PROTOCOLS}
    made = parser("eval.depth", "Score depth maps from anyone.", about)
    made.add_argument("--alignment", choices=list(ALIGNMENTS), help="instead of the protocol's own")
    made.add_argument("--max-depth", type=float, metavar="Z", help="instead of the protocol's own; 0: none")
    made.add_argument("--disparity", action="store_true", help="predictions are inverse depth, and aligned as such")
    made.add_argument("--truth-per-unit", type=float, metavar="N", help="PNG values per unit of depth (TUM: 5000)")
    made.add_argument("--predictions-per-unit", type=float, metavar="N", help="the same for predictions")
    made.add_argument("--processes", type=int, metavar="N", help="default: one per core, fewer for little work")
    return made


if __name__ == "__main__":
    sys.exit(main())
