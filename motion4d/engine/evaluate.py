"""Evaluate: score a model, and baselines beside it, on the held-out sequences of `data`.

Every sequence goes through the same windows as a prediction. One broken sequence does not end the evaluation: it is
named, counted, and the run ends as incomplete. With several ranks each scores its share. The run folder gets
sequences.csv, metrics.json and, on request, the masks in the form of the benchmark: masks/GROUP/SEQUENCE/STEM.png.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.errors import Incomplete
from motion4d.engine.refining import prepare_refiner, refine_clip
from motion4d.engine.run_folder import RunFolder
from motion4d.engine.runtime import Runtime
from motion4d.engine.scoring import MAIN, grouped, mean_scores, score_sequence
from motion4d.engine.segment import prepare_inference
from motion4d.engine.tables import aligned
from motion4d.engine.weights import load_task_weights, needs_weights
from motion4d.engine.windows import Window, segment_clip
from motion4d.refine.base import Refiner

_log = logging.getLogger(__name__)

OURS = "ours"


@dataclass
class Report:
    """What an evaluation found. rows: one per model and sequence; failed: sequence -> error."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """metrics.json: main (of our model), per model: overall and per group; failed sequences."""
        models: dict[str, Any] = {}
        for name in dict.fromkeys(row["model"] for row in self.rows):
            rows = [row for row in self.rows if row["model"] == name]
            groups = {group: mean_scores(members) for group, members in grouped(rows).items()}
            models[name] = {"overall": mean_scores(rows), "groups": groups}
        overall = models.get(OURS, {}).get("overall", {})
        main = {name: overall[name] for name in MAIN if name in overall}
        return {"main": main, "models": models, "failed": self.failed}

    def table(self) -> str:
        """One line per model and group, and one per model over all of them."""
        lines = []
        for name, scores in self.summary()["models"].items():
            parts = {**scores["groups"], "all": scores["overall"]} if len(scores["groups"]) > 1 else scores["groups"]
            for group, means in parts.items():
                shown = {metric: means.get(metric) for metric in MAIN}
                lines.append({"model": name, "sequences of": group, "count": means["sequences"], **shown})
        return aligned(lines)

    def check_complete(self) -> None:
        """Raise Incomplete if sequences failed."""
        if self.failed:
            shown = "; ".join(f"{name}: {error}" for name, error in list(self.failed.items())[:3])
            raise Incomplete(f"{len(self.failed)} sequences failed ({shown}); all of them are named in metrics.json")


class Evaluate:
    """The task. data: has "eval", a dataset of whole sequences or a mapping group -> dataset.

    baselines: name -> other models with the same interface; None leaves one out. refine: makes better masks of what our
    model says (motion4d.refine), not of the baselines. checkpoint, shipped: engine.weights.
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
        save_masks: bool = False,
        refine: Refiner | None = None,
    ) -> None:
        self.models = {OURS: model, **{name: one for name, one in (baselines or {}).items() if one is not None}}
        self.groups: Mapping[str, Clips] = _groups(data["eval"])
        self.folder = RunFolder(output)
        self.runtime = runtime or Runtime()
        self.window = window or Window()
        self.threshold = threshold
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.shipped = shipped
        self.save_masks = save_masks
        self.refine = refine

    def run(self) -> dict[str, Any]:
        """Load weights, score everything, write the run folder; returns the contents of metrics.json."""
        self.runtime.apply_threads()
        if needs_weights(self.models[OURS]):
            load_task_weights(
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
        report.check_complete()
        return summary

    def score(self) -> Report:
        """Score every model on every sequence; on several ranks the reports of all of them, joined."""
        from accelerate import PartialState
        from accelerate.utils import gather_object

        state = PartialState(cpu=self.runtime.torch_device.type == "cpu")
        for model in self.models.values():
            if isinstance(model, torch.nn.Module):
                model.to(self.runtime.torch_device).eval()
        report = Report()
        jobs = [(group, index) for group, clips in self.groups.items() for index in range(len(clips))]
        for group, index in jobs[state.process_index :: state.num_processes]:
            self._score_one(report, group, index)
        if state.num_processes == 1:
            return report
        parts = gather_object([report])
        joined = Report([row for p in parts for row in p.rows], {k: v for p in parts for k, v in p.failed.items()})
        joined.rows.sort(key=lambda row: (list(self.models).index(row["model"]), row["group"], row["sequence"]))
        return joined

    def write(self, report: Report) -> dict[str, Any]:
        """Write sequences.csv and metrics.json, show the table; returns the contents of metrics.json."""
        from accelerate import PartialState

        summary = report.summary()
        if PartialState().is_main_process:
            self.folder.write_table("sequences", report.rows)
            self.folder.write_metrics(summary)
            _log.info("\n%s\n\nstatic: share of pixels marked where nothing moves", report.table())
        return summary

    def examples(self, count: int) -> Iterator[tuple[Source, Clip, dict[str, torch.Tensor]]]:
        """Up to `count` sequences, spread over all groups: where from, the clip, masks [N, H, W] per model."""
        jobs = [(group, index) for group, clips in self.groups.items() for index in range(len(clips))]
        for group, index in jobs[:: max(1, len(jobs) // max(1, count))][:count]:
            clip = self.groups[group][index]
            masks = {name: self._segment(model, clip).cpu() for name, model in self.models.items()}
            yield _source(clip, group, index), clip, masks

    def _score_one(self, report: Report, group: str, index: int) -> None:
        name = f"{group}/{index}"
        try:
            clip = self.groups[group][index]
            source = _source(clip, group, index)
            name = f"{source.dataset}/{source.sequence}"
            rows = [self._row(model_name, clip, source) for model_name in self.models]
        except (ValueError, OSError, RuntimeError) as error:
            _log.warning("%s failed: %s", name, error)
            _log.debug("traceback", exc_info=True)
            report.failed[name] = f"{type(error).__name__}: {error}"
            return
        report.rows.extend(rows)

    def _row(self, model_name: str, clip: Clip, source: Source) -> dict[str, Any]:
        if clip.motion is None:
            raise ValueError("the sequence has no motion masks to compare with")
        masks = self._segment(self.models[model_name], clip).cpu().numpy()
        if self.save_masks and model_name == OURS:
            self._write_masks(masks, source)
        valid = None if clip.valid is None else clip.valid[0].numpy()
        scores = score_sequence(masks, clip.motion[0].numpy(), valid)
        return {"model": model_name, "group": source.dataset, "sequence": source.sequence, **scores}

    def _segment(self, model: Any, clip: Clip) -> torch.Tensor:
        """Masks [N, H, W] bool at the clip's size."""
        moved = Clip(
            clip.images.to(self.runtime.torch_device), estimated_flow=clip.estimated_flow, sources=clip.sources
        )
        motion = segment_clip(model, moved, self.window, autocast=self.runtime.autocast)
        if self.refine is None or model is not self.models[OURS]:
            return motion.masks(self.threshold)[0]
        return refine_clip(
            moved.images[0], motion.probabilities[0], self.refine, runtime=self.runtime, threshold=self.threshold
        )

    def _write_masks(self, masks: Any, source: Source) -> None:
        from motion4d.io.masks import write_mask

        stems = source.frames or tuple(f"{k:05d}" for k in range(len(masks)))
        for stem, mask in zip(stems, masks, strict=True):
            write_mask(self.folder.path / "masks" / source.dataset / source.sequence / f"{stem}.png", mask)


def _groups(data: Any) -> Mapping[str, Clips]:
    """A mapping of named groups as it is; one dataset under the empty name, which takes each clip's own."""
    groups = data if isinstance(data, Mapping) else {"": data}
    if not any(len(clips) for clips in groups.values()):
        raise ValueError("the evaluation data has no sequences")
    return groups


def _source(clip: Clip, group: str, index: int) -> Source:
    """Where the clip came from, under its group's name if it has one."""
    source = clip.sources[0] if clip.sources else Source(sequence=f"{index:04d}")
    return Source(group or source.dataset, source.sequence, source.frames, source.frame_rate)
