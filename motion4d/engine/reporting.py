"""What a training says while it runs: progress lines, training.csv, TensorBoard scalars and pictures (rank 0 only)."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.engine.progress import Progress
from motion4d.engine.run_folder import RunFolder

_log = logging.getLogger(__name__)


class Reporter:
    """Reports of one run. Means over the steps since the last line survive a resume through `running`."""

    def __init__(self, folder: Path, progress: Progress, *, every: int, is_active: bool = True) -> None:
        self.folder = RunFolder(folder)
        self.progress = progress
        self.every = every
        self.is_active = is_active
        self.running: dict[str, float] = {}
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None
        self._began = 0.0
        self._first = 0

    def start(self) -> None:
        """Begin at the progress's current step: keep earlier rows of a resumed run, open TensorBoard's files."""
        self._began = time.monotonic()
        self._first = self._step
        if self.is_active:
            self._rows = self._earlier_rows()
            self._writer = self._tensorboard()

    def step(self, losses: Mapping[str, float], rate: float) -> None:
        """Take in the losses of one optimizer step; say something every `every` steps and at the last."""
        for name, value in losses.items():
            self.running[name] = self.running.get(name, 0.0) + value
        self.running["steps"] = self.running.get("steps", 0.0) + 1
        if self.progress.step % self.every == 0 or self.progress.step == self.progress.steps:
            self._say(rate)

    def scalars(self, group: str, values: Mapping[str, float]) -> None:
        """Scalars group/name at the current step."""
        for name, value in values.items():
            if self._writer is not None:
                self._writer.add_scalar(f"{group}/{name.replace('&', 'and').replace(' ', '_')}", value, self._step)

    def picture(self, name: str, image: np.ndarray) -> None:
        """An image [H, W, 3] uint8 at the current step."""
        if self._writer is not None:
            self._writer.add_image(name, image, self._step, dataformats="HWC")

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()

    @property
    def _step(self) -> int:
        return self.progress.step

    def _say(self, rate: float) -> None:
        steps = self.running.pop("steps")
        means = {name: total / steps for name, total in self.running.items()}
        self.running.clear()
        if not self.is_active:
            return
        done = self._step - self._first
        seconds = time.monotonic() - self._began
        per_second = done * self.progress.clips_per_step / seconds
        left = (self.progress.steps - self._step) * seconds / done
        parts = "  ".join(f"{name} {value:.4f}" for name, value in means.items() if name != "total")
        _log.info(
            f"step {self._step:>{len(str(self.progress.steps))}}/{self.progress.steps}  loss {means['total']:.4f}  "
            f"({parts})  lr {rate:.2e}  {per_second:.2f} clips/s  {_clock(left)} left"
        )
        self._rows.append({"step": self._step, "epoch": self.progress.epoch, "lr": rate, **means})
        self.folder.write_table("training", self._rows)
        self.scalars("train", {**means, "lr": rate, "clips_per_second": per_second})

    def _earlier_rows(self) -> list[dict[str, Any]]:
        """Rows of training.csv up to the step that a resumed run goes on from."""
        file = self.folder.path / "training.csv"
        if not file.is_file() or self._step == 0:
            return []
        with file.open(newline="", encoding="utf-8") as lines:
            return [dict(row) for row in csv.DictReader(lines) if int(row["step"]) <= self._step]

    def _tensorboard(self) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder.path / "tensorboard"), purge_step=self._step + 1)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
