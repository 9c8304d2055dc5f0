"""Evaluate: score a model, and baselines beside it, on the held-out sequences of `data`.

What is scored, motion masks or cameras and depth, is up to `evaluation`. Every sequence goes through the same windows
as a prediction. One broken sequence does not end the evaluation: it is named, counted, and the run ends as incomplete.
Several ranks share the sequences. The run folder gets sequences.csv, metrics.json, pictures, and
predictions/MODEL/DATASET/SEQUENCE for published data sets; on request predictions of procedural ones, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from motion4d.engine.evaluation import Evaluation, Group, Scoring
from motion4d.engine.inference import OURS, Inference
from motion4d.engine.pictures import Picture, write_pictures
from motion4d.engine.refining import prepare_refiner
from motion4d.engine.report import Report
from motion4d.engine.run_folder import RunFolder
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import place_model, prepare_inference, weights_checksum
from motion4d.engine.weights import load_task_weights, needs_weights
from motion4d.engine.windows import Window
from motion4d.refine.base import Refiner

_log = logging.getLogger(__name__)


class Evaluate:
    """The task. data: has "eval", a data set of sequences or a mapping group -> data set.

    A data set is clips that lie in memory, or one on disk with protocols of its own. evaluation: what is scored, and
    how; None: motion masks. baselines: name -> other models with the same interface; None leaves one out. refine: makes
    better masks of what our model says (motion4d.refine), not of the baselines. checkpoint, shipped: engine.weights.
    save_predictions: of clips in memory, too. pictures: number of sequences drawn.
    """

    is_distributed = True

    def __init__(
        self,
        model: Any,
        data: Mapping[str, Any],
        *,
        output: str | Path,
        runtime: Runtime | None = None,
        window: Window | None = None,
        threshold: float = 0.5,
        baselines: Mapping[str, Any] | None = None,
        pretrained: Mapping[str, str] | None = None,
        checkpoint: str | None = "auto",
        shipped: str | None = None,
        evaluation: Scoring | None = None,
        save_predictions: bool = False,
        pictures: int = 0,
        refine: Refiner | None = None,
    ) -> None:
        self.models = {OURS: model, **{name: one for name, one in (baselines or {}).items() if one is not None}}
        self.folder = RunFolder(output)
        self.runtime = runtime or Runtime()
        self.refine = refine
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.shipped = shipped
        self.pictures = pictures
        self.weights = {name: "its own" if needs_weights(one) else "none needed" for name, one in self.models.items()}
        self.evaluation = evaluation or Evaluation()
        inference = Inference(self.models, window or Window(), threshold, self.runtime, refine)
        sets = data["eval"] if isinstance(data["eval"], Mapping) else {"": data["eval"]}
        self.groups = self.evaluation.groups(sets, inference, self.folder.path, save_all=save_predictions)

    def check_data(self) -> None:
        """Look for the sequences: a ValueError or FileNotFoundError of one sentence if there are none."""
        if not self._jobs():
            raise ValueError("the evaluation data has no sequences")

    def run(self) -> dict[str, Any]:
        """Load weights, score everything, write the run folder; returns the contents of metrics.json."""
        self.runtime.apply_threads()
        self.check_data()
        if needs_weights(self.models[OURS]):
            self.weights[OURS] = load_task_weights(
                self.models[OURS],
                checkpoint=self.checkpoint,
                default="shipped",
                shipped=self.shipped,
                pretrained=self.pretrained,
            )
        for model in self.models.values():
            prepare_inference(model, self.runtime)
        prepare_refiner(self.refine, self.runtime)
        _log.info("evaluating on %s", self.runtime.describe())
        report = self.score()
        summary = self.write(report)
        if self._is_main and self.pictures:
            write_pictures(self.draw(self.pictures), self.folder.path / "pictures")
        report.check_complete()
        return summary

    def score(self) -> Report:
        """Run every model on every sequence and score; on several ranks the reports of all of them, joined."""
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list, gather_object

        # ranks wait for the one with the longest sequences
        state = PartialState(cpu=self.runtime.torch_device.type == "cpu", timeout=timedelta(days=1))
        for model in self.models.values():
            place_model(model, self.runtime)
        report = Report(self.evaluation.figures)
        jobs = self._jobs()
        for group, index in jobs[state.process_index :: state.num_processes]:
            group.run(index, report)
        if state.num_processes > 1:
            report = Report.joined(gather_object([report]))
        if state.is_main_process:
            for group in self.groups:
                group.finish(report)
        if state.num_processes > 1:
            report = broadcast_object_list([report])[0]
        return report

    def write(self, report: Report) -> dict[str, Any]:
        """Write sequences.csv and metrics.json, show the table; returns the contents of metrics.json."""
        summary = report.summary({name: self._weights_of(name) for name in self.models})
        if self._is_main:
            self.folder.write_table("sequences", report.rows)
            self.folder.write_metrics(summary)
            _log.info("\n%s", report.table())
        return summary

    def draw(self, count: int) -> Iterator[Picture]:
        """Pictures of up to `count` sequences, spread over all groups; those that failed are left out."""
        jobs = self._jobs()
        for group, index in jobs[:: max(1, len(jobs) // max(1, count))][:count]:
            try:
                picture = group.picture(index)
            except (ValueError, OSError, RuntimeError) as error:
                _log.debug("not drawn: %s", error)
                continue
            yield picture

    def _weights_of(self, name: str) -> str:
        """Which weights a model has, with a checksum."""
        has_any = needs_weights(self.models[name])
        return f"{self.weights[name]} ({weights_checksum(self.models[name])})" if has_any else self.weights[name]

    @property
    def _is_main(self) -> bool:
        from accelerate import PartialState

        return bool(PartialState().is_main_process)

    def _jobs(self) -> list[tuple[Group, int]]:
        return [(group, index) for group in self.groups for index in range(len(group))]
