"""Scoring depth in files: truth and predictions by sequence, frame after frame -> tables; sequences in parallel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from motion4d.io.depth_maps import DepthMap
from motion4d.metrics.depth import COLUMNS, DepthScores, mean_depth_scores
from motion4d.metrics.depth_protocols import DepthProtocol
from motion4d.metrics.folders import FolderScores, in_processes, some

Maps = Mapping[str, Sequence[DepthMap]]


def score_depth_folder(
    protocol: DepthProtocol, truths: Maps, predictions: Maps, *, processes: int | None = None
) -> FolderScores:
    """Score every sequence that has truth; see motion4d.metrics.folders for what comes back.

    Frames are matched by stem; where the names of predictions are others, by order, if there are as many. A sequence
    whose predictions are missing or unusable is in `failures`, not in the numbers.
    """
    jobs = [(name, list(maps), list(predictions.get(name, ()))) for name, maps in truths.items()]
    outcomes = in_processes(partial(_score, protocol), jobs, [len(maps) for _, maps, _ in jobs], processes)
    scored: dict[str, tuple[list[str], list[DepthScores]]] = {}
    failures: dict[str, str] = {}
    for (name, _, _), outcome in zip(jobs, outcomes, strict=True):
        if isinstance(outcome, str):
            failures[name] = outcome
        else:
            scored[name] = outcome
    everything = [one for _, scores in scored.values() for one in scores]
    whole = [protocol.average(scores) for _, scores in scored.values()]
    return FolderScores(
        protocol.name,
        protocol.about,
        ("pixels", *COLUMNS),
        rows=[
            {"sequence": name, "object": None, "frames": len(stems), **_row(one)}
            for (name, (stems, _)), one in zip(scored.items(), whole, strict=True)
        ],
        frame_rows=[
            {"sequence": name, "frame": stem, **_row(one)}
            for name, (stems, scores) in scored.items()
            if protocol.per_frame
            for stem, one in zip(stems, scores, strict=True)
        ],
        poolings={
            "weighted by pixels": _row(protocol.average(everything)),
            "over sequences": _row(mean_depth_scores(whole, weighted=False)),
        }
        if scored
        else {},
        failures=failures,
    )


def matched(truths: Sequence[DepthMap], predictions: Sequence[DepthMap], frames: int | None) -> list[DepthMap]:
    """The prediction of each of the first `frames` (None: all) true maps; a ValueError if they do not fit."""
    if not predictions:
        raise ValueError("there are no predictions")
    counted = truths[:frames]
    by_stem = {one.stem: one for one in predictions}
    missing = [one.stem for one in counted if one.stem not in by_stem]
    if not missing:
        return [by_stem[one.stem] for one in counted]
    if len(predictions) in (len(truths), len(counted)):
        return list(predictions[: len(counted)])
    raise ValueError(
        f"{len(predictions)} predictions do not fit {len(counted)} frames: their names differ, too (no prediction is "
        f"called {some(missing, 3)}); give one per frame"
    )


def _score(
    protocol: DepthProtocol, job: tuple[str, list[DepthMap], list[DepthMap]]
) -> tuple[list[str], list[DepthScores]] | str:
    """Stems and scores of a sequence, or the sentence that says why there are none."""
    _, truths, predictions = job
    try:
        chosen = matched(truths, predictions, protocol.frames)
        counted = truths[: len(chosen)]
        scores = protocol.score((one.read() for one in chosen), (one.read() for one in counted))
        if not any(one.valid_pixels for one in scores):
            limit = "" if protocol.max_depth is None else f" and below {protocol.max_depth:g}"
            raise ValueError(f"no pixel of the truth has a depth that is finite, above 0{limit}; nothing can be scored")
    except (OSError, ValueError) as error:
        return str(error)
    return [one.stem for one in counted], scores


def _row(scores: DepthScores) -> dict[str, float]:
    return {"pixels": scores.valid_pixels, **scores.row}
