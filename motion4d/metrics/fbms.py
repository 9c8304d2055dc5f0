"""The FBMS-59 evaluation from files: Def.dat annotations; predictions as track files or as label images.

Annotations lie as in the archive, `SPLIT/SEQUENCE/GroundTruth/SEQUENCEDef.dat` (at any depth). Predictions:
`P/SEQUENCE.dat` or `P/SEQUENCE/Tracks<N>.dat` (motion4d/io/trajectories.py), or label images `P/SEQUENCE/STEM.png`,
whose stem is that of the image (`cars1_0001`) or the frame's number. Every label is a cluster, 0 too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from motion4d.io.files import natural_key
from motion4d.io.labels import read_ids
from motion4d.io.trajectories import read_trajectories
from motion4d.layouts.fbms_definition import Definition, read_definition, read_values
from motion4d.layouts.mask_folders import mask_files
from motion4d.metrics.folders import FolderScores, in_processes, some
from motion4d.metrics.trajectories import Overlap, TrajectoryScores, pooled, score_overlap

COLUMNS = ("Length", "Density", "Precision", "Recall", "F", "Extracted", "Visible")
LENGTHS = (10, 50, 200)  # evaluated frames that the published tables use, besides all of them
PUBLISHED_THRESHOLD = 0.75


@dataclass(frozen=True)
class SequenceTrajectories:
    """length: evaluated frames; labelled: how many of them are labelled."""

    name: str
    length: int
    labelled: int
    scores: TrajectoryScores


def score_fbms(
    annotations: Path,
    predictions: Path,
    names: Sequence[str] | None = None,
    *,
    threshold: float = PUBLISHED_THRESHOLD,
    first_frame: int = 0,
    processes: int | None = None,
) -> FolderScores:
    """Score sequences (None: all annotated ones). threshold: F from which an object counts as extracted.

    first_frame: number of the first frame where label images are named by number. Errors as of `score_folder`.
    """
    files = definition_files(annotations)
    unknown = [name for name in names or () if name not in files]
    if unknown:
        raise ValueError(f"{annotations} has no definition (Def.dat) of {some(unknown)}")
    jobs = [(files[name], name) for name in (names or files)]
    work = partial(_score_or_reason, predictions, first_frame)
    outcomes = in_processes(work, jobs, [50] * len(jobs), processes)
    scored = [outcome for outcome in outcomes if isinstance(outcome, SequenceTrajectories)]
    rows = [
        {"sequence": s.name, "object": None, "frames": s.labelled, "Length": s.length, **pooled([s.scores], threshold)}
        for s in scored
    ]
    return FolderScores(
        protocol="fbms",
        about=f"F-measure of FBMS-59 over labelled frames, objects extracted from F > {threshold:g}",
        columns=COLUMNS,
        rows=[{key: row[key] for key in ("sequence", "object", "frames", *COLUMNS)} for row in rows],
        frame_rows=[],
        poolings={"mean over sequences": pooled([s.scores for s in scored], threshold)} if scored else {},
        failures={job[1]: outcome for job, outcome in zip(jobs, outcomes, strict=True) if isinstance(outcome, str)},
    )


def definition_files(folder: Path) -> dict[str, Path]:
    """Sequence -> its Def.dat below `folder`, in natural order; a FileNotFoundError if there is none."""
    files = {file.parent.parent.name: file for file in folder.rglob("*Def.dat")}
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no SEQUENCE/GroundTruth/SEQUENCEDef.dat; choose a split of the archive"
        )
    return {name: files[name] for name in sorted(files, key=natural_key)}


def score_tracks(definition: Definition, tracks: Path, name: str) -> SequenceTrajectories:
    """Score the track file of one sequence."""
    points = read_trajectories(tracks)
    if points.length not in (*LENGTHS, definition.frames):
        raise ValueError(f"{tracks} is about {points.length} frames; 10, 50, 200 or all {definition.frames} are scored")
    overlap = Overlap.empty(len(definition.regions), int(points.labels.max(initial=0)) + 1)
    used = [frame for frame in definition.labels if frame <= points.length]
    for frame, regions, weights in _truth(definition, used):
        here = points.frames == frame
        overlap.add_points(regions, weights, points.x[here], points.y[here], points.labels[here])
    return SequenceTrajectories(name, points.length, len(used), score_overlap(overlap))


def score_labels(
    definition: Definition, labels: dict[int, Path], name: str, length: int | None = None, *, step: int = 1
) -> SequenceTrajectories:
    """Score label images by 0-based frame; those of unlabelled frames only say which labels there are.

    length: evaluated frames (None: all). step: only every step-th pixel of every step-th row has a point.
    """
    length = definition.frames if length is None else length
    used = [frame for frame in definition.labels if frame <= length]
    missing = [str(frame) for frame in used if frame not in labels]
    beyond = [str(frame) for frame in labels if not 0 <= frame < definition.frames]
    if missing or beyond:
        raise ValueError(
            f"label images are wanted for the frames {some(list(map(str, used)))}; missing: {some(missing) or 'none'}; "
            f"outside the {definition.frames} frames: {some(beyond) or 'none'} (do the names count from 1?)"
        )
    clusters = 1 + max(int(read_ids(file).max()) for file in labels.values())
    overlap = Overlap.empty(len(definition.regions), clusters)
    for frame, regions, weights in _truth(definition, used):
        stored = read_ids(labels[frame])
        if stored.shape != regions.shape:
            raise ValueError(
                f"{labels[frame]} is {stored.shape}, but its annotation is {regions.shape} (height, width)"
            )
        points = np.full(stored.shape, -1, dtype=np.int64)
        points[::step, ::step] = stored[::step, ::step]
        overlap.add_labels(regions, weights, points)
    return SequenceTrajectories(name, length, len(used), score_overlap(overlap))


def frames_of(files: dict[str, Path], definition: Definition, first_frame: int = 0) -> dict[int, Path]:
    """Files by stem -> by 0-based frame; a ValueError names a stem that is neither an image's nor a number."""
    images = {label.stem.removesuffix("_gt"): frame for frame, label in definition.labels.items()}
    unknown = [
        stem for stem in files if stem not in images and not stem.isdecimal() and images.keys().isdisjoint(files)
    ]
    if unknown:
        raise ValueError(f"label images are named like their image or by frame number, not {some(unknown)}")
    return {
        images[stem] if stem in images else int(stem) - first_frame: file
        for stem, file in files.items()
        if stem in images or stem.isdecimal()
    }


def _score_or_reason(predictions: Path, first_frame: int, job: tuple[Path, str]) -> SequenceTrajectories | str:
    path, name = job
    try:
        definition = read_definition(path)
        tracks = [predictions / f"{name}.dat", *sorted((predictions / name).glob("Tracks*.dat"))]
        tracks = [file for file in tracks if file.is_file()]
        if len(tracks) > 1:
            raise ValueError(f"there are several track files: {some([file.name for file in tracks])}; keep one")
        if tracks:
            return score_tracks(definition, tracks[0], name)
        files = mask_files(predictions, [name])[name]
        if not files:
            raise FileNotFoundError(f"{predictions} has neither {name}.dat nor label images in {name}/")
        return score_labels(definition, frames_of(files, definition, first_frame), name)
    except (OSError, ValueError) as error:
        return str(error)


def _truth(definition: Definition, frames: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Regions and weights [H, W] of labelled frames; a .ppm has its confidence (255: sure) in a .pgm beside it."""
    for frame in frames:
        label = definition.labels[frame]
        regions = definition.region_of(read_values(label))
        if label.suffix.lower() == ".ppm":
            yield frame, regions, read_ids(label.with_suffix(".pgm")) / 255
        else:
            yield frame, regions, np.ones(regions.shape)
