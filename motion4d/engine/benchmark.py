"""A published data set in an evaluation: predictions into files, and the scores of its protocol from these files.

So the same numbers come from `python -m eval.segmentation` on the folder that stays behind.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from motion4d.clip import Clip, Source
from motion4d.engine.benchmark_files import SequencePredictor
from motion4d.engine.inference import Inference
from motion4d.engine.pictures import Picture, masks_picture
from motion4d.engine.report import Report
from motion4d.engine.scoring import COLUMNS_TO_METRICS
from motion4d.io.images import read_image, resized
from motion4d.layouts.sequence import SequenceFiles
from motion4d.metrics.folders import FolderScores, score_folder
from motion4d.metrics.protocols import Protocol as ScoringProtocol

_log = logging.getLogger(__name__)

_SHOWN = 6  # frames of a sequence in a picture


class Benchmark(Protocol):
    """A data set on disk. name: as tables show it; protocol: name of its own way of scoring."""

    name: str
    protocol: str

    @property
    def sequences(self) -> Sequence[SequenceFiles]:
        """Its sequences, in order."""
        ...


class BenchmarkGroup:
    """A data set with the models that are run on it. folder: predictions lie in folder/MODEL/NAME/SEQUENCE/STEM.png.

    labelled_only: the models see the labelled frames alone.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        protocol: ScoringProtocol,
        inference: Inference,
        folder: Path,
        *,
        labelled_only: bool = False,
    ) -> None:
        self.name = benchmark.name
        self.benchmark = benchmark
        self.protocol = protocol
        self._folder = folder
        self._predictors = {
            model: SequencePredictor(inference, model, protocol, labelled_only) for model in inference.models
        }

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.sequences)

    @property
    def sequences(self) -> Sequence[SequenceFiles]:
        """Its sequences; asked for only when the work begins, since the data may not be there."""
        return self.benchmark.sequences

    def folder(self, model: str) -> Path:
        """Where the predictions of a model lie."""
        return self._folder / model / self.name

    def run(self, index: int, report: Report) -> None:
        """Predict one sequence with every model; what fails is noted in the report."""
        sequence = self.sequences[index]
        for model, predictor in self._predictors.items():
            try:
                predictor.write(sequence, self.folder(model))
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                _log.warning("%s/%s failed: %s", self.name, sequence.name, error)
                _log.debug("traceback", exc_info=True)
                self._note(report, sequence.name, f"{type(error).__name__}: {error}")
                return

    def finish(self, report: Report) -> None:
        """Score the files of every sequence that all models have predicted."""
        whole = [sequence for sequence in self.sequences if f"{self.name}/{sequence.name}" not in report.failed]
        annotations = {sequence.name: sequence.annotations for sequence in whole}
        for model in self._predictors:
            scores = score_folder(self.protocol, annotations, self._files(model, whole))
            for name, reason in scores.failures.items():
                _log.warning("%s/%s cannot be scored: %s", self.name, name, reason)
                self._note(report, name, reason)
            if scores.rows:
                report.rows += [self._row(model, row) for row in scores.rows]
                report.means.setdefault(model, {})[self.name] = self._means(scores)

    def picture(self, index: int) -> Picture:
        """Some frames of a sequence, read from files, with the masks of every model."""
        sequence = self.sequences[index]
        stems = list(sequence.annotations)
        stems = [stems[k] for k in np.linspace(0, len(stems) - 1, min(_SHOWN, len(stems))).round().astype(int)]
        paths = {image.stem: image for image in sequence.images}
        truth, masks = [], {model: [] for model in self._predictors}  # type: ignore[var-annotated]
        for stem in stems:
            labels = self.protocol.read_truth(sequence.annotations[stem])
            truth.append(labels > 0)
            for model in masks:
                file = self.folder(model) / sequence.name / f"{stem}.png"
                masks[model].append(self.protocol.fit(labels, self.protocol.read_prediction(file))[1] > 0)
        images = np.stack([resized(read_image(paths[stem]), truth[0].shape) for stem in stems])
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2)[None].float() / 255
        clip = Clip(tensor, motion=torch.from_numpy(np.stack(truth))[None])
        stacked = {model: torch.from_numpy(np.stack(frames)) for model, frames in masks.items()}
        return masks_picture(Source(self.name, sequence.name), clip, stacked)

    def _files(self, model: str, sequences: Sequence[SequenceFiles]) -> dict[str, dict[str, Path]]:
        folder = self.folder(model)
        return {s.name: {stem: folder / s.name / f"{stem}.png" for stem in s.annotations} for s in sequences}

    def _row(self, model: str, row: Mapping[str, Any]) -> dict[str, Any]:
        label = "" if row["object"] is None else f"_{row['object']}"
        about = {"model": model, "group": self.name, "sequence": f"{row['sequence']}{label}", "frames": row["frames"]}
        return {**about, **_metrics(row)}

    def _means(self, scores: FolderScores) -> dict[str, Any]:
        counts = {"sequences": len(scores.sequences), "frames": sum(scores.sequences.values())}
        poolings = {name: _metrics(row) for name, row in scores.poolings.items()}
        return {"protocol": scores.protocol, **counts, **next(iter(poolings.values())), "poolings": poolings}

    def _note(self, report: Report, sequence: str, reason: str) -> None:
        report.failed[f"{self.name}/{sequence}"] = reason


def _metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """A row of a protocol under the names of our tables."""
    return {name: row[column] for column, name in COLUMNS_TO_METRICS.items() if column in row}
