"""Predict: masks of what moves, for any video, folder of frames, glob, or folder of sequences.

Frames stream through the model in windows, so memory does not grow with length. A sequence that is finished (its
summary.json was written last) is not computed again when the same command runs again. In a folder of sequences one
broken sequence does not stop the others: it is named, counted, and the run ends as incomplete.

In Python: `segment_video("clip.mp4").masks`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.engine.collection import identity, opened, run_sequences
from motion4d.engine.refining import describe_refiner, prepare_refiner, refine_results
from motion4d.engine.results import FrameResult, ResultWriter, finished_summary
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import describe_model, place_model, prepare_inference, segment_source
from motion4d.engine.stopwatch import Stopwatch, log_progress
from motion4d.engine.weights import load_task_weights, needs_weights
from motion4d.engine.windows import MotionModel, Window
from motion4d.io.frames import FrameSource, open_input
from motion4d.refine.base import Refiner

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentedVideo:
    """What `segment_video` found: masks [N, H, W] bool, probabilities [N, H, W] float16, at the video's own size."""

    name: str
    frame_rate: float | None
    masks: Tensor
    probabilities: Tensor


class Predict:
    """The task. checkpoint, shipped, pretrained: motion4d.engine.weights; fps, max_frames: motion4d.io.frames.

    refine: makes better masks of the probabilities and the frames (motion4d.refine); None leaves them as they are.
    resume: "auto" passes over sequences that were finished with the same settings; "none" computes everything anew.
    """

    def __init__(
        self,
        model: MotionModel,
        input: str | Path | None,
        *,
        output: str | Path,
        runtime: Runtime | None = None,
        window: Window | None = None,
        threshold: float = 0.5,
        fps: float | None = None,
        max_frames: int | None = None,
        save_probabilities: bool = False,
        resume: str = "auto",
        pretrained: Mapping[str, str] | None = None,
        checkpoint: str | None = "none",
        shipped: str | None = None,
        refine: Refiner | None = None,
    ) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold is a probability between 0 and 1, not {threshold}")
        if resume not in ("auto", "none"):
            raise ValueError(f"resume must be auto or none for a prediction, not {resume!r}")
        self.model: Any = model
        self.input = input
        self.output = Path(output)
        self.runtime = runtime or Runtime()
        self.window = window or Window()
        self.threshold = threshold
        self.fps = fps
        self.max_frames = max_frames
        self.save_probabilities = save_probabilities
        self.resume = resume
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.shipped = shipped
        self.refine = refine

    def run(self) -> dict[str, Any]:
        """Segment every sequence; returns name -> summary of those that are finished, now or from before."""
        sources = opened(self.input, output=self.output, runtime=self.runtime, fps=self.fps, max_frames=self.max_frames)
        self._load_weights()
        return run_sequences(sources, self.run_sequence, output=self.output, figure="moving_share_mean")

    def run_sequence(self, source: FrameSource) -> dict[str, Any]:
        """Segment one sequence into its folder below the output, unless that was done before; returns its summary."""
        folder = self.output / source.folder
        source.check()
        done = finished_summary(folder) if self.resume == "auto" else None
        if done is not None and done.get("settings") == self._settings(source):
            _log.info("%s: finished before, in %s", source.name, folder)
            return done
        deque(self.write_results(source), maxlen=0)
        return finished_summary(folder) or {}

    def write_results(self, source: FrameSource) -> Iterator[FrameResult]:
        """Yield the result of every frame; its files appear below the output when the last one was taken."""
        watch = Stopwatch()
        folder = self.output / source.folder
        writer = ResultWriter(folder, frame_rate=source.frame_rate, save_probabilities=self.save_probabilities)
        with writer:
            for result in log_progress(self._segment(source, watch), source.name, source.length):
                with watch.stage("writing"):
                    writer.add(result)
                yield result
            summary = self._summary(source, writer.moving_share, watch)
            writer.finish(_title(source, writer.moving_share), summary)
        _log.info("%s: %s", folder, _title(source, writer.moving_share))

    def _segment(self, source: FrameSource, watch: Stopwatch) -> Iterator[FrameResult]:
        results = segment_source(
            self.model, source, window=self.window, runtime=self.runtime, threshold=self.threshold, watch=watch
        )
        if self.refine is None:
            return results
        refined = refine_results(results, self.refine, runtime=self.runtime, threshold=self.threshold)
        return watch.each("refining", refined)

    def _load_weights(self) -> None:
        """Load what `pretrained` and `checkpoint` name, and bring model and refiner to their device."""
        if needs_weights(self.model):
            load_task_weights(
                self.model,
                checkpoint=self.checkpoint,
                default="shipped",
                shipped=self.shipped,
                pretrained=self.pretrained,
            )
        prepare_inference(self.model, self.runtime)
        prepare_refiner(self.refine, self.runtime)

    def _settings(self, source: FrameSource) -> dict[str, Any]:
        """Everything that a result depends on: if it has not changed, the sequence need not be computed again."""
        return {
            **identity(source),
            "threshold": self.threshold,
            "window": asdict(self.window),
            "fps": self.fps,
            "max_frames": self.max_frames,
            "probabilities": self.save_probabilities,
            "precision": "bf16" if self.runtime.is_bf16 else "fp32",
            "model": describe_model(self.model),
            "refine": describe_refiner(self.refine),
        }

    def _summary(self, source: FrameSource, moving_share: Sequence[float], watch: Stopwatch) -> dict[str, Any]:
        height, width = source.size
        warnings = [] if len(moving_share) > 1 else ["a single frame shows no motion: its mask is empty by decision"]
        for warning in warnings:
            _log.warning("%s: %s", source.name, warning)
        return {
            "name": source.name,
            "frames": len(moving_share),
            "height": height,
            "width": width,
            "frame_rate": source.frame_rate,
            "stems": list(source.stems),
            "threshold": self.threshold,
            "checkpoint": self.checkpoint,
            "moving_share_mean": float(np.mean(moving_share)),
            "moving_share": [round(share, 6) for share in moving_share],
            "seconds": watch.seconds(),
            "warnings": warnings,
            "settings": self._settings(source),
        }


def segment_video(
    input: str | Path,
    *,
    output: str | Path | None = None,
    threshold: float = 0.5,
    model: MotionModel | None = None,
    window: Window | None = None,
    runtime: Runtime | None = None,
    fps: float | None = None,
    max_frames: int | None = None,
    refine: Refiner | None = None,
) -> SegmentedVideo:
    """Which pixels of one video (or folder, or glob of frames) move in the world.

    model: by default the small one whose weights ship with the package. refine: as in `Predict`. output: a folder that
    gets the files of task=predict too. The result holds all frames at once; for long videos use `Predict`, whose memory
    does not grow.
    """
    sources = open_input(input, fps=fps, max_frames=max_frames)
    if len(sources) != 1:
        raise ValueError(f"{input} holds {len(sources)} sequences; name one of them, or use Predict for all")
    if model is None:
        from motion4d.engine.shipped import SHIPPED_WINDOW, shipped_model

        model, window = shipped_model(), window or SHIPPED_WINDOW
    task = Predict(
        model, input, output=output or ".", runtime=runtime, window=window, threshold=threshold, refine=refine
    )
    place_model(model, task.runtime)
    prepare_refiner(refine, task.runtime)
    results = task._segment(sources[0], Stopwatch()) if output is None else task.write_results(sources[0])
    frames = [(result.mask, result.probabilities.astype(np.float16)) for result in results]
    masks, probabilities = (torch.from_numpy(np.stack(maps)) for maps in zip(*frames, strict=True))
    return SegmentedVideo(sources[0].name, sources[0].frame_rate, masks, probabilities)


def _title(source: FrameSource, moving_share: Sequence[float]) -> str:
    height, width = source.size
    rate = f", {source.frame_rate:.4g} per second" if source.frame_rate else ""
    share = float(np.mean(moving_share))
    return f"{source.name}: {len(moving_share)} frames of {width}x{height}{rate}, {share:.1%} of all pixels move"
