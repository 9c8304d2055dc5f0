"""task=flow: optical flow files and a colour video, for any video, folder of frames, glob, or folder of sequences.

Frames stream through the estimator, so memory does not grow with length. A sequence that is finished is not computed
again when the same command runs again; in a folder of sequences a broken one does not stop the others.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from motion4d.engine.collection import identity, opened, run_sequences
from motion4d.engine.flow_results import FlowWriter, finished_flow
from motion4d.engine.flow_stream import PIXELS_AT_ONCE, flow_stream, prepare_estimator
from motion4d.engine.runtime import Runtime
from motion4d.engine.segment import describe_part
from motion4d.engine.stopwatch import Stopwatch, log_progress
from motion4d.flow.base import FlowEstimator
from motion4d.io.flow_files import WRITERS
from motion4d.io.frames import FrameSource

_log = logging.getLogger(__name__)


class EstimateFlow:
    """The task. fps, max_frames: motion4d.io.frames; the files: motion4d.engine.flow_results.

    format: flo, png (KITTI, 16 bit), npz, npy or pfm. backward: write the backward flow too. max_radius: pixels of flow
    that get full colour in the video; None: chosen from all frames. pixels_at_once: motion4d.engine.flow_stream.
    resume: "auto" passes over sequences that were finished with the same settings; "none" computes everything anew.
    """

    def __init__(
        self,
        estimator: FlowEstimator | None,
        input: str | Path | None,
        *,
        output: str | Path,
        runtime: Runtime | None = None,
        format: str = "flo",
        backward: bool = True,
        max_radius: float | None = None,
        fps: float | None = None,
        max_frames: int | None = None,
        resume: str = "auto",
        pixels_at_once: int = PIXELS_AT_ONCE,
    ) -> None:
        if f".{format}" not in WRITERS:
            known = ", ".join(suffix.removeprefix(".") for suffix in WRITERS)
            raise ValueError(f"format must be one of {known}, not {format!r}")
        if max_radius is not None and not 0 < max_radius < float("inf"):
            raise ValueError(f"max_radius must be a positive number of pixels, not {max_radius}")
        if resume not in ("auto", "none"):
            raise ValueError(f"resume must be auto or none for flow, not {resume!r}")
        if pixels_at_once < 1:
            raise ValueError(f"pixels_at_once must be at least 1, not {pixels_at_once}")
        self.estimator = estimator
        self.input = input
        self.output = Path(output)
        self.runtime = runtime or Runtime()
        self.format = format
        self.backward = backward
        self.max_radius = max_radius
        self.fps = fps
        self.max_frames = max_frames
        self.resume = resume
        self.pixels_at_once = pixels_at_once

    def run(self) -> dict[str, Any]:
        """Compute every sequence; returns name -> summary of those that are finished, now or from before."""
        if self.estimator is None:
            raise ValueError("flow=none computes nothing: choose flow=dis, or a network such as flow=raft")
        sources = opened(self.input, output=self.output, runtime=self.runtime, fps=self.fps, max_frames=self.max_frames)
        prepare_estimator(self.estimator, self.runtime)
        return run_sequences(sources, self.run_sequence, output=self.output, figure="magnitude_mean_px")

    def run_sequence(self, source: FrameSource) -> dict[str, Any]:
        """The flow of one sequence in its folder below the output, unless that was done before; returns its summary."""
        folder = self.output / source.folder
        source.check()
        done = finished_flow(folder) if self.resume == "auto" else None
        if done is not None and done.get("settings") == self._settings(source):
            _log.info("%s: finished before, in %s", source.name, folder)
            return done
        summary = self._write(source, folder)
        magnitude, pairs = summary["magnitude_mean_px"], summary["pairs"]
        _log.info("%s: %s, %d pairs, %.2f pixels per frame on average", folder, source.name, pairs, magnitude)
        return summary

    def _write(self, source: FrameSource, folder: Path) -> dict[str, Any]:
        watch = Stopwatch()
        writer = FlowWriter(
            folder,
            suffix=f".{self.format}",
            backward=self.backward,
            frame_rate=source.frame_rate,
            max_radius=self.max_radius,
        )
        assert self.estimator is not None  # run says so in a sentence
        stream = flow_stream(self.estimator, source, runtime=self.runtime, pixels_at_once=self.pixels_at_once)
        with writer:
            pairs = 0
            for pair in log_progress(watch.each("flow", stream), source.name, source.length):
                with watch.stage("writing"):
                    writer.add(pair)
                pairs += 1
            return writer.finish(self._summary(source, pairs, watch))

    def _settings(self, source: FrameSource) -> dict[str, Any]:
        """Everything that the files depend on: if it has not changed, the sequence need not be computed again."""
        return {
            **identity(source),
            "format": self.format,
            "backward": self.backward,
            "max_radius": self.max_radius,
            "fps": self.fps,
            "max_frames": self.max_frames,
            "precision": "bf16" if self.runtime.is_bf16 else "fp32",
            "flow": describe_part(self.estimator),
        }

    def _summary(self, source: FrameSource, pairs: int, watch: Stopwatch) -> dict[str, Any]:
        height, width = source.size
        return {
            "name": source.name,
            "pairs": pairs,
            "height": height,
            "width": width,
            "frame_rate": source.frame_rate,
            "stems": list(source.stems),
            "seconds": watch.seconds(),
            "settings": self._settings(source),
        }
