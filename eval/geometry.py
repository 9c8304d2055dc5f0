"""What eval.depth and eval.pose share: the options of both, and what they name."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from eval.datasets import DATASETS

Sequences = TypeVar("Sequences", bound=Mapping[str, object])


def parser(command: str, description: str, protocols: Mapping[str, str]) -> argparse.ArgumentParser:
    """The options that both commands have. protocols: name -> what it is."""
    made = argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        epilog="protocols:\n" + "\n".join(f"  {name:16s}{about}" for name, about in protocols.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--protocol", choices=sorted(protocols), required=True, metavar="NAME", help="see below")
    made.add_argument("--truth", type=Path, help="folder of the truth")
    made.add_argument("--dataset", choices=sorted(DATASETS), metavar="NAME", help=f"or: {', '.join(sorted(DATASETS))}")
    made.add_argument("--root", type=Path, help="where that data set lies, as python -m prepare.NAME leaves it")
    made.add_argument("--predictions", type=Path, required=True, help="folder to score")
    made.add_argument("--sequences", nargs="+", metavar="NAME", help="only these; all: all that a data set has")
    made.add_argument("--ignore-extra", action="store_true", help="accept predictions without truth")
    made.add_argument("--per-sequence", action="store_true", help="print a line per sequence, too")
    made.add_argument("--output", type=Path, help="folder for per_sequence.csv (per_frame.csv) and metrics.json")
    return made


def truth_of(
    options: argparse.Namespace,
    folder: Callable[[Path], Sequences],
    dataset: Callable[[str, Path, Sequence[str] | None], Sequences],
) -> Sequences:
    """The truth that the options name: by `folder` from --truth, or by `dataset` from --dataset and --root."""
    if (options.truth is None) == (options.dataset is None) or (options.dataset is None) != (options.root is None):
        raise ValueError("say where the truth lies: --truth FOLDER, or --dataset NAME --root FOLDER")
    if options.truth is not None:
        return folder(options.truth)
    return dataset(options.dataset, options.root, options.sequences)


def chosen(
    truths: Mapping[str, object], predictions: Mapping[str, object], options: argparse.Namespace
) -> Sequence[str]:
    """The sequences to score: those asked for, else all that have truth; no prediction may be left over.

    One truth and one prediction belong together whatever they are called, unless sequences are asked for.
    """
    names = list(truths)
    if options.sequences and options.dataset is None:
        unknown = [name for name in options.sequences if name not in truths]
        if unknown:
            raise ValueError(f"there is no truth of {', '.join(unknown)}; there is of {', '.join(names)}")
        return list(options.sequences)
    left_over = [name for name in predictions if name not in truths]
    if left_over and not options.ignore_extra and not len(truths) == len(predictions) == 1:
        raise ValueError(f"{options.predictions} has sequences without truth: {', '.join(left_over)}")
    return names
