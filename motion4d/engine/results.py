"""The files that a prediction leaves for one sequence, written as its frames come, visible only when all are there.

    masks/00000.png      0 = static, 255 = moving, native resolution, counted from 0
    overlay.mp4          the masks laid over the frames
    contact_sheet.png    up to 8 frames: image, probability, mask
    probabilities.npz    on request: one float16 array [H, W] per frame
    summary.json         what was done and found; written last, so that it marks a sequence as finished

Until then everything lies in a hidden folder beside them, which an error, Ctrl-C or the next run removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from motion4d.engine.result_folder import ResultFolder, read_finished
from motion4d.io.files import make_folder
from motion4d.io.images import write_image
from motion4d.io.masks import ProbabilityFile, mask_name, write_mask, write_probabilities
from motion4d.io.video import VideoWriter, open_video_writer
from motion4d.viz.overlay import overlay
from motion4d.viz.sheet import EvenPicker, Panel, contact_sheet, make_panel

_MARK = "motion4d prediction"
_RESULTS = ("masks", "probabilities.npz", "overlay.mp4", "contact_sheet.png")
_DEFAULT_RATE = 24.0  # of an overlay video whose frames carry no time


@dataclass(frozen=True)
class FrameResult:
    """One frame: image [H, W, 3] uint8, probabilities [H, W] float32, mask [H, W] bool."""

    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    mask: NDArray[np.bool_]


class ResultWriter:
    """Use as a context manager: `add` every frame, then `finish`; leaving it unfinished removes everything."""

    def __init__(self, folder: str | Path, *, frame_rate: float | None, save_probabilities: bool = False) -> None:
        self.folder = Path(folder)
        self.frame_rate = frame_rate
        self.save_probabilities = save_probabilities
        self.moving_share: list[float] = []  # per frame, in [0, 1]
        self._results = ResultFolder(self.folder, mark=_MARK, names=_RESULTS)
        self._hidden = self._results.hidden
        self._open_files = ExitStack()
        self._picker: EvenPicker[Panel] = EvenPicker()
        self._video: VideoWriter
        self._probabilities: ProbabilityFile | None = None

    def __enter__(self) -> Self:
        self._results.begin()
        make_folder(self._hidden / "masks")
        rate = self.frame_rate or _DEFAULT_RATE
        with ExitStack() as opening:  # closed at once if the second file cannot be opened
            self._video = opening.enter_context(open_video_writer(self._hidden / "overlay.mp4", frame_rate=rate))
            if self.save_probabilities:
                path = self._hidden / "probabilities.npz"
                self._probabilities = opening.enter_context(write_probabilities(path))
            self._open_files = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open_files.__exit__(kind, error, trace)
        self._results.clear()

    def add(self, result: FrameResult) -> None:
        """Write the next frame."""
        index = len(self.moving_share)
        time = f"   {index / self.frame_rate:.2f} s" if self.frame_rate else ""
        panel = partial(make_panel, index, f"{index}{time}", result.image, result.probabilities, result.mask)
        self._picker.offer(index, panel)
        write_mask(self._hidden / "masks" / f"{mask_name(index)}.png", result.mask)
        self._video.add(overlay(result.image, result.mask))
        if self._probabilities is not None:
            self._probabilities.add(mask_name(index), result.probabilities)
        self.moving_share.append(float(result.mask.mean()))

    def finish(self, title: str, summary: Mapping[str, Any]) -> None:
        """Complete the files, put them in place of older results, and write the summary."""
        self._open_files.close()
        write_image(self._hidden / "contact_sheet.png", contact_sheet(self._picker.pick(), title))
        self._results.publish(summary)


def finished_summary(folder: str | Path) -> dict[str, Any] | None:
    """The summary of a sequence that was finished in this folder, or None."""
    return read_finished(folder, mark=_MARK)
