"""The files that task=flow leaves for one sequence, written as the flow comes, visible only when all are there.

    forward/NAME.flo     flow from frame NAME to the next one, on its own grid, in pixels (u right, v down)
    backward/NAME.flo    flow from frame NAME to the one before
    flow.mp4             the forward flow in Middlebury's colours, one scale for all frames
    summary.json         what was done and found; written last, so that it marks a sequence as finished

The layout is what flow=precomputed reads; the suffix chooses the format (motion4d.io.flow_files).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from motion4d.engine.flow_stream import FlowPair
from motion4d.engine.result_folder import ResultFolder, read_finished
from motion4d.io.flow_files import WRITERS, read_flow, write_flow
from motion4d.io.video import open_video_writer
from motion4d.viz.flow_color import flow_to_rgb, frame_radius, video_radius

_MARK = "motion4d flow"
_RESULTS = ("forward", "backward", "flow.mp4")
_DEFAULT_RATE = 24.0  # of a video whose frames carry no time


class FlowWriter:
    """Use as a context manager: `add` every pair, then `finish`; leaving it unfinished removes everything.

    suffix: of the flow files, such as ".flo". backward: whether the backward flow is written too. max_radius: pixels of
    flow that get full colour in the video; None: chosen from all its frames.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        suffix: str = ".flo",
        backward: bool = True,
        frame_rate: float | None = None,
        max_radius: float | None = None,
    ) -> None:
        if suffix not in WRITERS:
            raise ValueError(f"flow cannot be written as {suffix!r}; known are {', '.join(WRITERS)}")
        self.suffix = suffix
        self.backward = backward
        self.frame_rate = frame_rate
        self.max_radius = max_radius
        self._results = ResultFolder(Path(folder), mark=_MARK, names=_RESULTS)
        self._names: list[str] = []
        self._radii: list[float] = []  # per pair, pixels
        self._speeds: list[float] = []  # mean magnitude per pair, pixels
        self._shares: list[float] = []  # consistent share per pair

    def __enter__(self) -> Self:
        self._results.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._results.clear()

    def add(self, pair: FlowPair) -> None:
        """Write the files of the next pair."""
        write_flow(self._path("forward", pair.first), pair.forward)
        if self.backward:
            if pair.backward is None:
                raise ValueError("this flow has no backward part; ask for the forward flow alone with backward=false")
            write_flow(self._path("backward", pair.second), pair.backward)
        self._names.append(pair.first)
        self._radii.append(frame_radius(pair.forward))
        self._speeds.append(float(np.linalg.norm(pair.forward, axis=-1).mean()))
        if pair.consistent_share is not None:
            self._shares.append(pair.consistent_share)

    def finish(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """Draw the video from the files, put everything in place, write and return the summary with its figures."""
        radius = video_radius(self._radii) if self.max_radius is None else self.max_radius
        with open_video_writer(self._results.hidden / "flow.mp4", frame_rate=self.frame_rate or _DEFAULT_RATE) as video:
            for name in self._names:
                video.add(flow_to_rgb(read_flow(self._path("forward", name)), max_radius=radius))
        whole = {**summary, "full_colour_px": round(radius, 3), **self._figures()}
        self._results.publish(whole)
        return finished_flow(self._results.folder) or {}

    def _figures(self) -> dict[str, Any]:
        return {
            "magnitude_mean_px": round(float(np.mean(self._speeds)), 4),
            "magnitude_px": [round(speed, 4) for speed in self._speeds],
            "consistent_share_mean": round(float(np.mean(self._shares)), 4) if self._shares else None,
            "consistent_share": [round(share, 4) for share in self._shares],
        }

    def _path(self, direction: str, name: str) -> Path:
        return self._results.hidden / direction / f"{name}{self.suffix}"


def finished_flow(folder: str | Path) -> dict[str, Any] | None:
    """The summary of a sequence whose flow was finished in this folder, or None."""
    return read_finished(folder, mark=_MARK)
