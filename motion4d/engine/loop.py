"""The optimisation loop of a training, on accelerate: everything that exists once per rank.

Batches come from a sampler that is a pure function of (seed, epoch), through a loader of our own; the learning rate is
a function of the step; a checkpoint holds everything else. Hence a run that goes on repeats the uninterrupted one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from motion4d.clip import Clip
from motion4d.data.sampling import Clips, SeededClips, collate
from motion4d.engine.checkpoints import Checkpoints
from motion4d.engine.interrupt import Interrupt, ignore_interrupts
from motion4d.engine.parameter_groups import Named, partition, schedules_of
from motion4d.engine.reporting import Reporter
from motion4d.engine.runtime import Runtime, seed_everything
from motion4d.engine.schedule import Schedule
from motion4d.engine.training import Training
from motion4d.losses.compose import Staged

_log = logging.getLogger(__name__)

Losses = Callable[[Any, Clip], Mapping[str, Tensor]]
MakeOptimizer = Callable[[Named], Optimizer]


class Loop:
    """One rank of a training.

    clips: framed, as the model wants them; losses: (prediction, clip) -> scalars with "total"; evaluate: called every
    `training.eval_every` steps, returns the main metrics; folder: the run folder.
    """

    def __init__(
        self,
        model: nn.Module,
        clips: Clips,
        losses: Losses,
        *,
        optimizer: MakeOptimizer,
        scheduler: Schedule,
        training: Training,
        runtime: Runtime,
        evaluate: Callable[[], Mapping[str, float]],
        folder: Path,
        seed: int,
    ) -> None:
        self.plain_model = model
        self.losses = losses
        self.training = training
        self.runtime = runtime
        self.evaluate = evaluate
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError(f"{type(model).__name__} has no trainable parameters: there is nothing to train")
        self.parameters = [p for _, p in named]
        self.clipped = _clipped(named, training.clip_groups)
        self.accelerator = make_accelerator(runtime, training.accumulation)
        self.is_main = self.accelerator.is_main_process
        self.progress = training.progress(len(clips), seed=seed, ranks=self.accelerator.num_processes)
        self.clips = SeededClips(clips, seed)
        self.model = self.accelerator.prepare(model)
        self.optimizer = self.accelerator.prepare(optimizer(named))
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.schedules = schedules_of(optimizer, scheduler, len(self.base_rates))
        seed_everything(seed + self.accelerator.process_index)  # ranks must not share their dropout
        self.ema = training.ema
        if self.ema is not None:
            self.ema.start(model)
        self.reporter = Reporter(folder, self.progress, every=training.log_every, is_active=self.is_main)
        self.checkpoints = Checkpoints(
            folder / "checkpoints",
            self.accelerator,
            self.model,
            self.progress,
            running=self.reporter.running,
            ema=self.ema,
            keep=training.keep,
        )

    def restore(self, source: Path) -> None:
        """Go on from a checkpoint."""
        self.checkpoints.restore(source)
        if self.is_main:
            _log.info("resumed at step %d from %s", self.progress.step, source)

    def run(self) -> None:
        """All remaining optimizer steps. An interrupt ends them when the current step is done and saved."""
        self.reporter.start()
        self._introduce()
        self.model.train()
        batches = iter(self._loader())
        with Interrupt().listening() as interrupt:
            while self.progress.step < self.progress.steps:
                self._step(batches)
                last = self.progress.step == self.progress.steps
                stops = self._on_any_rank(interrupt.is_set)
                if last or stops or _is_due(self.progress.step, self.training.checkpoint_every):
                    self.checkpoints.save()
                if stops and not last:
                    interrupt.leave()
                if not last and _is_due(self.progress.step, self.training.eval_every):
                    self._evaluate()

    def averaged(self) -> AbstractContextManager[None]:
        """A context in which the model has the moving average of its weights, if there is one."""
        return nullcontext() if self.ema is None else self.ema.applied(self.plain_model)

    def close(self) -> None:
        """Write what is in memory and release what accelerate holds."""
        self.reporter.close()
        self.accelerator.free_memory()

    def _step(self, batches: Iterator[Clip]) -> None:
        """One optimizer step over `accumulation` batches."""
        rates = [rate * schedule(self.progress) for rate, schedule in zip(self.base_rates, self.schedules, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        losses: dict[str, float] = {}
        for _ in range(self.training.accumulation):
            for name, value in self._backward(next(batches)).items():
                losses[name] = losses.get(name, 0.0) + float(value.detach()) / self.training.accumulation
        losses = self._mean_over_ranks(losses)
        self.progress.step += 1
        if not math.isfinite(losses["total"]):
            raise ValueError(
                f"the loss became {losses['total']} at step {self.progress.step}: lower optimizer.lr or "
                "training.clip_norm; the last checkpoint is intact"
            )
        if self.ema is not None:
            self.ema.update(self.plain_model, self.progress.step)
        self.reporter.step(losses, max(rates))

    def _backward(self, clip: Clip) -> Mapping[str, Tensor]:
        """Gradients of one batch; the optimizer acts when enough batches are accumulated."""
        clip = clip.to(self.accelerator.device)
        with self.accelerator.accumulate(self.model):
            with self.accelerator.autocast():
                prediction = self.model(clip, self.progress)
            losses = self._losses_now()(prediction, clip)
            self.accelerator.backward(losses["total"])
            if self.accelerator.sync_gradients and self.training.clip_norm is not None:
                for parameters in self.clipped:
                    self.accelerator.clip_grad_norm_(parameters, self.training.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return losses

    def _losses_now(self) -> Losses:
        """Some losses change with the epochs."""
        if not isinstance(self.losses, Staged):
            return self.losses
        return self.losses.at(min(1.0, self.progress.epoch / self.progress.epochs))

    def _mean_over_ranks(self, losses: dict[str, float]) -> dict[str, float]:
        if self.accelerator.num_processes == 1:
            return losses
        values = torch.tensor(list(losses.values()), dtype=torch.float32, device=self.accelerator.device)
        return dict(zip(losses, self.accelerator.reduce(values, "mean").tolist(), strict=True))

    def _on_any_rank(self, flag: bool) -> bool:
        """Signals reach the ranks at different times, but all of them must save after the same step."""
        if self.accelerator.num_processes == 1:
            return flag
        count = self.accelerator.reduce(torch.tensor(float(flag), device=self.accelerator.device), "sum")
        return bool(count.item() > 0)

    def _evaluate(self) -> None:
        with self.averaged():
            main = self.evaluate()
        self.reporter.scalars("eval", main)
        if self.is_main:
            _log.info("held out: %s", "  ".join(f"{name} {value:.3f}" for name, value in main.items()))
        self.model.train()

    def _loader(self) -> DataLoader[Clip]:
        """Batches from the current one to the last, for this rank; draws nothing from global random states."""
        workers = self.runtime.workers
        return DataLoader(
            self.clips,
            batch_sampler=self.training.remaining(self.progress, rank=self.accelerator.process_index),
            num_workers=workers,
            collate_fn=collate,
            generator=torch.Generator(),
            worker_init_fn=ignore_interrupts if workers else None,
            persistent_workers=workers > 0,
        )

    def _introduce(self) -> None:
        if not self.is_main:
            return
        count = sum(p.numel() for p in self.parameters)
        _log.info("training on %s", self.runtime.describe())
        _log.info(
            f"{count:,} trainable parameters, {self.progress.num_clips} clips, {self.progress.steps} steps of "
            f"{self.progress.clips_per_step} clips ({self.progress.epochs:.1f} epochs)"
        )


def make_accelerator(runtime: Runtime, accumulation: int) -> Accelerator:
    """A fresh Accelerator; jobs of a sweep that share a process may differ in precision."""
    if not torch.distributed.is_initialized():
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    return Accelerator(
        cpu=runtime.torch_device.type == "cpu",
        mixed_precision="bf16" if runtime.is_bf16 else "no",
        gradient_accumulation_steps=accumulation,
    )


def _clipped(named: Named, patterns: Sequence[str] | None) -> list[list[nn.Parameter]]:
    """The parameters whose gradients are clipped together: all of them, or those of each pattern."""
    if patterns is None:
        return [[parameter for _, parameter in named]]
    parts = partition(named, {pattern: [pattern] for pattern in patterns}, "training.clip_groups")
    return [[parameter for _, parameter in part] for part in parts.values() if part]


def _is_due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0
