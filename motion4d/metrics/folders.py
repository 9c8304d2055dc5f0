"""Scoring files: annotations and predictions by sequence and frame stem -> tables; sequences in parallel.

    scores = score_folder(DAVIS2016, {"dog": {"00000": Path(...), ...}}, {"dog": {"00000": Path(...), ...}})
    scores.overall["J-Mean"]

A sequence's frames are read one after the other, so memory depends on neither their number nor that of sequences; the
numbers are the same for any number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from motion4d.metrics.protocols import Protocol
from motion4d.metrics.scores import COLUMNS, SequenceScores

FRAMES_PER_PROCESS = 100  # starting a process takes as long as scoring about so many frames
Files = Mapping[str, Mapping[str, Path]]
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class FolderScores:
    """What a protocol says of a folder.

    rows: one per sequence, or per object of it: `sequence`, `object` (None: everything), `frames`, then `columns`.
    frame_rows: `sequence`, `object`, `frame` (stem) and its values. poolings: rows over all sequences by name, the
    protocol's own first; empty if nothing could be scored. failures: why a sequence is not in the numbers.
    """

    protocol: str
    about: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    frame_rows: list[dict[str, Any]]
    poolings: dict[str, dict[str, float]]
    failures: dict[str, str]

    @property
    def overall(self) -> dict[str, float]:
        """The protocol's own row over all sequences; empty if nothing could be scored."""
        return next(iter(self.poolings.values()), {})

    @property
    def sequences(self) -> dict[str, int]:
        """Scored frames of each sequence."""
        return {row["sequence"]: row["frames"] for row in self.rows}


def score_folder(
    protocol: Protocol,
    annotations: Files,
    predictions: Files,
    *,
    processes: int | None = None,
    extra_allowed: bool = False,
) -> FolderScores:
    """Score the annotated sequences; files by sequence and stem, in temporal order (`SequenceFiles.annotations` fits).

    processes: how many work at once (None: one per core, fewer for little work; 1: this one only).
    extra_allowed: predictions without annotation are ignored; else they are an error that lists them.
    A sequence with missing, extra or unusable files is in `failures`, not in the numbers. A ValueError if there are
    predictions of sequences without annotation.
    """
    left_over = [name for name in predictions if name not in annotations]
    if left_over and not extra_allowed:
        raise ValueError(f"sequences without annotation: {some(left_over)}")
    jobs = [(name, dict(files), dict(predictions.get(name, {}))) for name, files in annotations.items()]
    sizes = [len(truth) for _, truth, _ in jobs]
    outcomes = in_processes(partial(_score, protocol, extra_allowed), jobs, sizes, processes)
    scores = [outcome for outcome in outcomes if isinstance(outcome, SequenceScores)]
    failures = {job[0]: outcome for job, outcome in zip(jobs, outcomes, strict=True) if isinstance(outcome, str)}
    return FolderScores(
        protocol.name,
        protocol.about,
        COLUMNS,
        rows=[
            {"sequence": s.name, "object": scored.label, "frames": len(s.frames), **scored.row}
            for s in scores
            for scored in s.objects
        ],
        frame_rows=[row for s in scores for row in _frame_rows(s)],
        poolings={pooling.name: pooling.pool(scores) for pooling in protocol.poolings} if scores else {},
        failures=failures,
    )


def in_processes(
    work: Callable[[Item], Outcome], items: Sequence[Item], sizes: Sequence[int], processes: int | None
) -> list[Outcome]:
    """work(item) of each item, in order; items of large size start first. `work` and items can be pickled."""
    count = processes or min(_cores(), max(1, sum(sizes) // FRAMES_PER_PROCESS))
    if min(count, len(items)) <= 1:
        return [work(item) for item in items]
    order = sorted(range(len(items)), key=lambda index: -sizes[index])
    with ProcessPoolExecutor(min(count, len(items)), multiprocessing.get_context("spawn")) as pool:
        futures = {index: pool.submit(work, items[index]) for index in order}
        try:
            return [futures[index].result() for index in range(len(items))]
        except BrokenProcessPool as error:
            raise OSError("a worker process died (out of memory?); use fewer processes") from error


def check_stems(truth: Sequence[str], scored: Sequence[str], predicted: Sequence[str], *, extra_allowed: bool) -> None:
    """ValueError if a scored frame has no prediction, or (unless allowed) a prediction has no annotation."""
    annotated, available = set(truth), set(predicted)
    missing = [stem for stem in scored if stem not in available]
    extra = [stem for stem in predicted if stem not in annotated]
    if missing:
        raise ValueError(f"{len(missing)} of {len(scored)} scored frames have no prediction: {some(missing)}")
    if extra and not extra_allowed:
        raise ValueError(f"{len(extra)} predictions have no annotation: {some(extra)}")


def some(names: Sequence[str], limit: int = 20) -> str:
    """A list of names for a message, cut where nobody reads on."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _score(
    protocol: Protocol, extra_allowed: bool, job: tuple[str, dict[str, Path], dict[str, Path]]
) -> SequenceScores | str:
    """The scores of a sequence, or the sentence that says why there are none."""
    name, truth, prediction = job
    try:
        check_stems(list(truth), protocol.scored(list(truth)), list(prediction), extra_allowed=extra_allowed)
        return protocol.score(name, truth, prediction)
    except (OSError, ValueError) as error:
        return str(error)


def _frame_rows(scores: SequenceScores) -> list[dict[str, Any]]:
    return [
        {"sequence": scores.name, "object": scored.label, "frame": stem, "J": j, "F": f}
        for scored in scores.objects
        for stem, j, f in zip(scores.frames, scored.j.tolist(), scored.f.tolist(), strict=True)
    ]


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
