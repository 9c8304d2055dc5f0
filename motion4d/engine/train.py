"""Train: fit a model to clips, evaluate it, draw what it does. On accelerate, one process or several ranks.

A training is a pure function of its configuration: batches hang on (seed, epoch), the learning rate on the step, and a
checkpoint holds everything else, so a killed run goes on with the numbers of an uninterrupted one. Gradients are
averaged over ranks and accumulated batches; the effective batch is logged.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from motion4d.clip import Clip
from motion4d.data.framed import Framed
from motion4d.data.sampling import Clips, EpochBatches, SeededClips
from motion4d.data.with_flow import WithFlow
from motion4d.engine.checkpoints import Checkpoints, find_checkpoint
from motion4d.engine.ema import Ema
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.interrupt import Interrupt, ignore_interrupts
from motion4d.engine.pictures import draw_examples
from motion4d.engine.progress import Progress
from motion4d.engine.reporting import Reporter
from motion4d.engine.runtime import Runtime, seed_everything
from motion4d.engine.schedule import Schedule
from motion4d.engine.weights import load_checkpoint, load_pretrained, trainable_state
from motion4d.engine.windows import Window
from motion4d.io.weights import write_safetensors

_log = logging.getLogger(__name__)

Losses = Callable[[Any, Clip], Mapping[str, Tensor]]


@dataclass
class Training:
    """How long, in what batches, and how often what happens. Exactly one of steps and epochs is given.

    steps: optimizer steps; batch_size: clips per rank and batch; accumulation: batches per step; clip_norm: largest
    gradient norm; *_every: steps; keep: checkpoints on disk; pictures: sequences drawn at the end.
    """

    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 1
    accumulation: int = 1
    clip_norm: float | None = 1.0
    log_every: int = 20
    eval_every: int | None = None
    checkpoint_every: int | None = 200
    keep: int = 2
    pictures: int = 4
    ema: Ema | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give exactly one of training.steps and training.epochs, and null for the other")
        for name in ("steps", "epochs", "batch_size", "accumulation", "log_every", "eval_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value >= 1):
                raise ValueError(f"training.{name} must be a whole number of at least 1, but it is {value!r}")

    def progress(self, num_clips: int, *, seed: int, ranks: int) -> Progress:
        """The progress of a training that has not begun."""
        progress = Progress(1, seed, num_clips, self.batch_size, self.accumulation, ranks)
        if self.steps is not None:
            progress.steps = self.steps
        else:
            progress.steps = math.ceil((self.epochs or 1) * progress.batches_per_epoch / self.accumulation)
        return progress


class Train:
    """The task.

    data: has "train", a dataset of clips, and "eval" (see Evaluate); losses: (prediction, clip) -> scalars with
    "total"; optimizer: parameters -> Optimizer; scheduler: progress -> factor of the learning rate; pretrained,
    checkpoint: see motion4d.engine.weights; resume: auto, none or a path.
    """

    is_distributed = True

    def __init__(
        self,
        model: nn.Module,
        data: Mapping[str, Any],
        losses: Losses,
        optimizer: Callable[[list[nn.Parameter]], Optimizer],
        *,
        scheduler: Schedule,
        training: Training,
        output: str | Path,
        runtime: Runtime | None = None,
        window: Window | None = None,
        threshold: float = 0.5,
        baselines: Mapping[str, Any] | None = None,
        pretrained: Mapping[str, str] | None = None,
        checkpoint: str | None = None,
        resume: str = "auto",
        seed: int = 0,
    ) -> None:
        self.model = model
        self.data = data
        self.losses = losses
        self.make_optimizer = optimizer
        self.scheduler = scheduler
        self.training = training
        self.folder = Path(output)
        self.runtime = runtime or Runtime()
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.resume = resume
        self.seed = seed
        self.make_evaluation = partial(
            Evaluate,
            data=data,
            output=output,
            runtime=self.runtime,
            window=window,
            threshold=threshold,
            baselines=baselines,
        )

    def run(self) -> dict[str, Any]:
        """Train to the last step, evaluate, draw; returns the contents of metrics.json."""
        self.runtime.apply_threads()
        seed_everything(self.seed)
        source = find_checkpoint(self.resume, self.folder / "checkpoints")
        if source is None:  # a checkpoint of ours holds only what is trained: the rest is needed in any case
            load_pretrained(self.model, self.pretrained)
            load_checkpoint(self.model, self.checkpoint, default="none")
        else:
            load_pretrained(self.model, self.pretrained)
        loop = _Loop(self)
        if source is not None:
            loop.restore(source)
        loop.run()
        return self._finish(loop)

    def _finish(self, loop: _Loop) -> dict[str, Any]:
        model = loop.plain_model
        with loop.averaged():
            if loop.is_main:
                note = {"format": "motion4d trainable", "step": str(loop.progress.step)}
                write_safetensors(self.folder / "weights.safetensors", trainable_state(model), note)
            evaluation = self.make_evaluation(model)
            report = evaluation.score()
            summary = evaluation.write(report)
            loop.reporter.scalars("eval", summary["main"])
            if loop.is_main and self.training.pictures:
                for name, picture in draw_examples(evaluation, self.training.pictures, self.folder / "pictures"):
                    loop.reporter.picture(name, picture)
        loop.close()
        report.check_complete()
        return summary


class _Loop:
    """The optimisation of one run: everything that exists once per rank."""

    def __init__(self, task: Train) -> None:
        self.task = task
        self.settings = task.training
        self.accelerator = _accelerator(task.runtime, task.training.accumulation)
        self.is_main = self.accelerator.is_main_process
        clips: Clips = task.data["train"]
        ranks = self.accelerator.num_processes
        self.progress = task.training.progress(len(clips), seed=task.seed, ranks=ranks)
        self.clips = SeededClips(prepared_clips(clips, task.model), task.seed)
        parameters = [p for p in task.model.parameters() if p.requires_grad]
        if not parameters:
            raise ValueError(f"{type(task.model).__name__} has no trainable parameters: there is nothing to train")
        self.parameters = parameters
        self.model = self.accelerator.prepare(task.model)
        self.optimizer = self.accelerator.prepare(task.make_optimizer(parameters))
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.ema = task.training.ema
        seed_everything(task.seed + self.accelerator.process_index)  # ranks must not share their dropout
        if self.ema is not None:
            self.ema.start(self.plain_model)
        self.reporter = Reporter(task.folder, self.progress, every=self.settings.log_every, is_active=self.is_main)
        self.checkpoints = Checkpoints(
            task.folder / "checkpoints",
            self.accelerator,
            self.model,
            self.progress,
            running=self.reporter.running,
            ema=self.ema,
            keep=self.settings.keep,
        )

    @property
    def plain_model(self) -> nn.Module:
        """The model without accelerate's wrapping."""
        return self.task.model

    def restore(self, source: Path) -> None:
        """Go on from a checkpoint."""
        self.checkpoints.restore(source)
        self.reporter.close()
        running = self.reporter.running
        self.reporter = Reporter(
            self.task.folder, self.progress, every=self.settings.log_every, is_active=self.is_main
        )
        self.reporter.running = running
        _log.info("resumed at step %d from %s", self.progress.step, source)

    def run(self) -> None:
        """All remaining optimizer steps."""
        self._introduce()
        self.model.train()
        batches = iter(self._loader())
        with Interrupt().listening() as interrupt:
            while self.progress.step < self.progress.steps:
                self._step(batches)
                last = self.progress.step == self.progress.steps
                if last or interrupt.is_set or _is_due(self.progress.step, self.settings.checkpoint_every):
                    self.checkpoints.save()
                if interrupt.is_set and not last:
                    raise KeyboardInterrupt
                if not last and _is_due(self.progress.step, self.settings.eval_every):
                    self._evaluate()

    def averaged(self) -> Any:
        """A context in which the model has the moving average of its weights, if there is one."""
        return nullcontext() if self.ema is None else self.ema.applied(self.plain_model)

    def close(self) -> None:
        """Write what is in memory and leave accelerate's shared state clean for the next run of this process."""
        self.reporter.close()
        self.accelerator.free_memory()

    def _step(self, batches: Iterator[Clip]) -> None:
        """One optimizer step over `accumulation` batches."""
        factor = self.task.scheduler(self.progress)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        sums: dict[str, Tensor] = {}
        for _ in range(self.settings.accumulation):
            for name, value in self._backward(next(batches)).items():
                sums[name] = sums.get(name, torch.zeros(())) + value.detach().float().cpu()
        losses = {name: float(value) / self.settings.accumulation for name, value in sums.items()}
        self.progress.step += 1
        if not math.isfinite(losses["total"]):
            raise ValueError(
                f"the loss became {losses['total']} at step {self.progress.step}: lower optimizer.lr or "
                "training.clip_norm; the last checkpoint is intact"
            )
        if self.ema is not None:
            self.ema.update(self.plain_model, self.progress.step)
        self.reporter.step(losses, self.base_rates[0] * factor)

    def _backward(self, clip: Clip) -> Mapping[str, Tensor]:
        clip = clip.to(self.accelerator.device)
        with self.accelerator.accumulate(self.model):
            with self.accelerator.autocast():
                prediction = self.model(clip, self.progress)
            losses = self.task.losses(prediction, clip)
            self.accelerator.backward(losses["total"])
            if self.accelerator.sync_gradients and self.settings.clip_norm is not None:
                self.accelerator.clip_grad_norm_(self.parameters, self.settings.clip_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()
        return losses

    def _evaluate(self) -> None:
        with self.averaged():
            report = self.task.make_evaluation(self.plain_model).score()
        main = report.summary()["main"]
        self.reporter.scalars("eval", main)
        if self.is_main:
            _log.info("  ".join(f"{name} {value:.3f}" for name, value in main.items()))
        self.model.train()

    def _loader(self) -> DataLoader[Clip]:
        """Batches from the current one to the last, for this rank; draws nothing from global random states."""
        workers = self.task.runtime.workers
        sampler = EpochBatches(
            len(self.clips),
            self.settings.batch_size,
            seed=self.task.seed,
            rank=self.accelerator.process_index,
            ranks=self.accelerator.num_processes,
            start=self.progress.batch,
            stop=self.progress.steps * self.settings.accumulation,
        )
        return DataLoader(
            self.clips,
            batch_sampler=sampler,
            num_workers=workers,
            collate_fn=Clip.collate,
            generator=torch.Generator(),
            worker_init_fn=ignore_interrupts if workers else None,
            persistent_workers=workers > 0,
        )

    def _introduce(self) -> None:
        if not self.is_main:
            return
        count = sum(p.numel() for p in self.parameters)
        _log.info("training on %s", self.task.runtime.describe())
        _log.info(
            "%s trainable parameters, %d clips, %d steps of %d clips (%.1f epochs)",
            f"{count:,}",
            self.progress.num_clips,
            self.progress.steps,
            self.progress.clips_per_step,
            self.progress.epochs,
        )


def prepared_clips(clips: Clips, model: Any) -> Clips:
    """The clips as `model` wants them: framed, with the flow of an estimator that data workers can run."""
    rule = getattr(model, "framing", None)
    flow = getattr(model, "flow", None)
    framed = clips if rule is None else Framed(clips, rule)
    return WithFlow(framed, flow) if getattr(flow, "in_workers", False) else framed


def _accelerator(runtime: Runtime, accumulation: int) -> Any:
    """A fresh Accelerator; jobs of a sweep that share a process may differ in precision."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    if not torch.distributed.is_initialized():
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    return Accelerator(
        cpu=runtime.torch_device.type == "cpu",
        mixed_precision="bf16" if runtime.is_bf16 else "no",
        gradient_accumulation_steps=accumulation,
    )


def _is_due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0
