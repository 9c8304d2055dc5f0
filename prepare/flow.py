"""Compute the flow of a data set once: python -m prepare.flow --input data/DAVIS/JPEGImages/480p --dataset davis

Every sequence of the input (a folder of folders of frames, or of videos) gets ROOT/DATASET/SEQUENCE/forward/FRAME.flo
and .../backward/FRAME.flo, which is where flow=precomputed looks (ROOT is data/flow unless --root says otherwise). What
is there is passed over, so an interrupted run goes on with the missing frames; every file appears whole or not at all.
The flow is that of the frames as they are; flow=precomputed fits it to what a network sees, so any model can read it.
Which estimator made the files stands in SEQUENCE/flow.json, and another one is refused there. Numbers are computed in
fp32. Exit status: 0 if every sequence is complete, else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from motion4d.cli import EXPECTED, build, compose, describe
from motion4d.engine.flow_stream import FlowPair, flow_stream, prepare_estimator
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import describe_part
from motion4d.flow.base import FlowEstimator
from motion4d.io.files import check_writable, read_json, write_json
from motion4d.io.flow_files import WRITERS, write_flow
from motion4d.io.frames import FrameSource, collection_name, frame_names, open_input

CONF = Path(__file__).parents[1] / "conf"
RECORD = "flow.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        sources = open_input(options.input)
        estimator = configured_estimator(options.flow, options.overrides)
        runtime = Runtime(device=options.device, precision="fp32")
        prepare_estimator(estimator, runtime)
        folder = options.root / (options.dataset or collection_name(sources[0]))
        check_writable(folder)
    except EXPECTED as error:
        print(f"error: {describe(error)}", file=sys.stderr)
        return 1
    suffix = f".{options.format}"
    failed = [source for source in sources if not _prepare(source, folder, estimator, runtime, suffix)]
    print(
        f"{folder}: {len(sources) - len(failed)} of {len(sources)} sequences complete; {_how_to_read(folder, suffix)}"
    )
    return 1 if failed else 0


def configured_estimator(option: str, overrides: Sequence[str] = ()) -> FlowEstimator:
    """The estimator that `flow=OPTION` and other key=value words of the command line name."""
    estimator = build(compose(CONF, [f"flow={option}", *overrides]).flow)
    if estimator is None:
        raise ValueError(f"flow={option} computes nothing: choose dis, or a network such as raft")
    return estimator


def compute(
    source: FrameSource, folder: Path, estimator: FlowEstimator, *, runtime: Runtime | None = None, suffix: str = ".flo"
) -> int:
    """Write what is missing of one sequence's flow below `folder`; returns how many pairs had to be computed.

    A ValueError if the files there belong to other frames or come from another estimator.
    """
    source.check()
    record = {"estimator": describe_part(estimator), "size": list(source.size), "frames": source.length}
    if _is_finished(folder, record, suffix):
        return 0
    start = max(0, _complete_pairs(source, folder, suffix) - 1)  # at least the last pair: a video ends where it ends
    write_json(folder / RECORD, {**record, "pairs": None})
    count = 0
    for pair in flow_stream(estimator, source, runtime=runtime, start=start):
        _write(pair, folder, suffix)
        count += 1
    write_json(folder / RECORD, {**record, "pairs": start + count})
    return count


def _is_finished(folder: Path, record: dict[str, Any], suffix: str) -> bool:
    """Whether all pairs are there; a ValueError if what is there is something else."""
    if not (folder / RECORD).is_file():
        return False
    found = read_json(folder / RECORD)
    differing = [name for name, value in record.items() if found.get(name) != value]
    if differing and not any((folder / direction).is_dir() for direction in ("forward", "backward")):
        return False  # a run that ended before its first pair
    if differing:
        raise ValueError(
            f"{folder} holds flow of another {' and '.join(differing)} ({folder / RECORD} says which); remove it, or "
            "choose another --root or --dataset"
        )
    counts = [len(list((folder / direction).glob(f"*{suffix}"))) for direction in ("forward", "backward")]
    return found["pairs"] is not None and min(counts) >= found["pairs"]


def _complete_pairs(source: FrameSource, folder: Path, suffix: str) -> int:
    """How many pairs from the first one on have both files."""
    count = 0
    for first, second in pairwise(frame_names(source)):  # without end for a video, but its files have one
        if not all(path.is_file() for path in _paths(folder, first, second, suffix)):
            break
        count += 1
    return count


def _write(pair: FlowPair, folder: Path, suffix: str) -> None:
    if pair.backward is None:
        raise ValueError("this flow has no backward part, which flow=precomputed expects")
    forward, backward = _paths(folder, pair.first, pair.second, suffix)
    write_flow(forward, pair.forward)
    write_flow(backward, pair.backward)


def _paths(folder: Path, first: str, second: str, suffix: str) -> tuple[Path, Path]:
    return folder / "forward" / f"{first}{suffix}", folder / "backward" / f"{second}{suffix}"


def _prepare(source: FrameSource, folder: Path, estimator: FlowEstimator, runtime: Runtime, suffix: str) -> bool:
    """One sequence, and a line about it; False if it failed."""
    name = source.folder or source.name
    try:
        count = compute(source, folder / name, estimator, runtime=runtime, suffix=suffix)
    except (ValueError, OSError, RuntimeError, MemoryError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    print(f"{name}: {count} pairs computed" if count else f"{name}: complete, nothing to do")
    return True


def _how_to_read(folder: Path, suffix: str) -> str:
    command = f"read them with flow=precomputed flow.root={folder.parent}"
    if suffix == ".flo":
        return command
    patterns = [f"'flow.{way}=\"{{dataset}}/{{sequence}}/{way}/{{frame}}{suffix}\"'" for way in ("forward", "backward")]
    return " ".join([command, *patterns])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m prepare.flow", description="Compute the flow of a data set once.")
    parser.add_argument("--input", required=True, type=Path, help="a folder of sequences; also one video or folder")
    parser.add_argument("--root", type=Path, default=Path("data/flow"), help="for ROOT/DATASET/SEQUENCE/forward/FRAME")
    parser.add_argument("--dataset", help="what the clips of this data set call it (default: the input's name)")
    parser.add_argument("--flow", default="dis", help="option of conf/flow (default: dis)")
    parser.add_argument("--format", default="flo", choices=[suffix.removeprefix(".") for suffix in WRITERS])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as flow.iterations=20 paths.weights=W")
    return parser


if __name__ == "__main__":
    sys.exit(main())
