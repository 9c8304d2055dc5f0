"""Checkpoints of a training: accelerate's state folder, with what it saves narrowed and made safe.

checkpoints/step_00000400/
    model.safetensors  trainable weights only     ema.safetensors  their moving average, if there is one
    progress.json      counters and running sums  optimizer.bin, random_states_{rank}.pkl  of accelerate

A folder is written under a temporary name and renamed, so that one that is there is complete. What cannot be resumed
is an error, never a silent restart.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn

from motion4d.engine.ema import Ema
from motion4d.engine.progress import Progress
from motion4d.engine.weights import load_trainable, trainable_state
from motion4d.io.files import read_json, write_json
from motion4d.io.weights import read_state_dict, write_safetensors

_log = logging.getLogger(__name__)


class Checkpoints:
    """Saves and restores one training in `folder`, keeping the newest `keep` checkpoints.

    `running`: numbers of the loop that must survive too (sums since the last log line), a dict of floats.
    """

    def __init__(
        self,
        folder: Path,
        accelerator: Accelerator,
        model: nn.Module,
        progress: Progress,
        *,
        running: dict[str, float],
        ema: Ema | None = None,
        keep: int = 2,
    ) -> None:
        self.folder = folder
        self.accelerator = accelerator
        self.model = accelerator.unwrap_model(model)
        self.progress = progress
        self.running = running
        self.ema = ema
        self.keep = keep
        accelerator.register_save_state_pre_hook(self._write_own)
        accelerator.register_load_state_pre_hook(self._read_own)

    def save(self) -> Path:
        """Write the checkpoint of the current step, on all ranks together."""
        final = self.folder / f"step_{self.progress.step:08d}"
        temporary = self.folder / f".writing_{final.name}"
        if self.accelerator.is_main_process:
            shutil.rmtree(temporary, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(temporary))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(final, ignore_errors=True)
            os.replace(temporary, final)
            for old in list_checkpoints(self.folder)[: -self.keep]:
                shutil.rmtree(old)
        return final

    def restore(self, source: Path) -> None:
        """Take up the state in `source`; raises if any part of it is missing or does not fit."""
        random_states = source / f"random_states_{self.accelerator.process_index}.pkl"
        for file in (source / "progress.json", source / "optimizer.bin", source / "model.safetensors", random_states):
            if not file.is_file():
                raise FileNotFoundError(f"cannot resume from {source}: {file.name} is missing; choose another one")
        self.accelerator.step = -1
        try:
            self.accelerator.load_state(str(source))
        except (RuntimeError, EOFError, KeyError) as error:
            raise ValueError(f"cannot resume from {source}: {error}") from error
        if self.accelerator.step == -1:  # accelerate only logs this
            raise ValueError(f"cannot resume from {source}: {random_states.name} cannot be read")

    def _write_own(self, models: list[nn.Module], weights: list[Any], output_dir: str) -> None:
        """Called by save_state on every rank: our files instead of accelerate's full weights."""
        weights.clear()
        if not self.accelerator.is_main_process:
            return
        folder = Path(output_dir)
        write_safetensors(folder / "model.safetensors", trainable_state(self.model), {"format": "motion4d trainable"})
        if self.ema is not None:
            write_safetensors(folder / "ema.safetensors", self.ema.shadow, {"format": "motion4d average"})
        write_json(folder / "progress.json", {**self.progress.state_dict(), "running": self.running})

    def _read_own(self, models: list[nn.Module], input_dir: str) -> None:
        """Called by load_state on every rank."""
        models.clear()
        folder = Path(input_dir)
        state = read_json(folder / "progress.json")
        self.progress.load_state_dict(state)
        self.running.clear()
        self.running.update(state["running"])
        load_trainable(self.model, read_state_dict(folder / "model.safetensors"), source=str(folder))
        if self.ema is not None:
            self.ema.load(read_state_dict(folder / "ema.safetensors"))


def list_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints in `folder`, oldest first."""
    return sorted(folder.glob("step_*"))


def find_checkpoint(resume: str | Path, folder: Path) -> Path | None:
    """The checkpoint that `resume` names: `auto` (the newest in `folder`, if any), `none`, or a path.

    A path may be a checkpoint or a run folder; a FileNotFoundError if it holds no checkpoint.
    """
    if resume == "none":
        return None
    if resume == "auto":
        found = list_checkpoints(folder)
        return found[-1] if found else None
    path = Path(resume)
    if (path / "progress.json").is_file():
        return path
    found = list_checkpoints(path / "checkpoints")
    if not found:
        raise FileNotFoundError(f"resume={resume}: there is no checkpoint (give a checkpoint or a run folder)")
    return found[-1]
