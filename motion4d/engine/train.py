"""Train: fit a model to clips, evaluate it, draw what it does. On one process or several ranks.

A training is a pure function of its configuration, and a killed run goes on from its last checkpoint with the numbers
of an uninterrupted one. Gradients are averaged over ranks and accumulated batches; the effective batch is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from motion4d.data.framed import Framed
from motion4d.data.sampling import Clips
from motion4d.data.with_flow import WithFlow
from motion4d.engine.checkpoints import find_checkpoint
from motion4d.engine.evaluate import Evaluate
from motion4d.engine.evaluation import Scoring
from motion4d.engine.inference import OURS
from motion4d.engine.loop import Loop, Losses, MakeOptimizer
from motion4d.engine.pictures import write_pictures
from motion4d.engine.runtime import Runtime, seed_everything
from motion4d.engine.schedule import Schedule
from motion4d.engine.training import Training
from motion4d.engine.weights import load_task_weights, trainable_state
from motion4d.engine.windows import Window
from motion4d.io.weights import write_safetensors


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
        optimizer: MakeOptimizer,
        *,
        scheduler: Schedule,
        training: Training,
        output: str | Path,
        runtime: Runtime | None = None,
        window: Window | None = None,
        threshold: float = 0.5,
        baselines: Mapping[str, Any] | None = None,
        evaluation: Scoring | None = None,
        pretrained: Mapping[str, str] | None = None,
        checkpoint: str | None = None,
        resume: str = "auto",
        seed: int = 0,
    ) -> None:
        self.model = model
        self.training = training
        self.folder = Path(output)
        self.runtime = runtime or Runtime()
        self.pretrained = pretrained or {}
        self.checkpoint = checkpoint
        self.resume = resume
        self.seed = seed
        self.evaluation = Evaluate(
            model,
            data,
            output=output,
            runtime=self.runtime,
            window=window,
            threshold=threshold,
            baselines=baselines,
            evaluation=evaluation,
        )
        self.make_loop = partial(
            Loop,
            model,
            prepared_clips(data["train"], model),
            losses,
            optimizer=optimizer,
            scheduler=scheduler,
            training=training,
            runtime=self.runtime,
            evaluate=lambda: self.evaluation.score().summary()["main"],
            folder=self.folder,
            seed=seed,
        )

    def run(self) -> dict[str, Any]:
        """Train to the last step, evaluate, draw; returns the contents of metrics.json."""
        self.runtime.apply_threads()
        self.evaluation.check_data()  # now, not after days of training
        seed_everything(self.seed)
        source = find_checkpoint(self.resume, self.folder / "checkpoints")
        # before a resume too: checkpoints hold only what is trained
        start = "none" if source is not None else self.checkpoint
        load_task_weights(self.model, checkpoint=start, default="none", pretrained=self.pretrained)
        loop = self.make_loop()
        if source is not None:
            loop.restore(source)
        loop.run()
        return self._finish(loop)

    def _finish(self, loop: Loop) -> dict[str, Any]:
        """Weights, scores and pictures of the trained model."""
        with loop.averaged():
            if loop.is_main:
                note = {"format": "motion4d trainable", "step": str(loop.progress.step)}
                write_safetensors(self.folder / "weights.safetensors", trainable_state(self.model), note)
            self.evaluation.weights[OURS] = f"trained in this run, step {loop.progress.step}"
            report = self.evaluation.score()
            summary = self.evaluation.write(report)
            loop.reporter.scalars("eval", summary["main"])
            if loop.is_main and self.training.pictures:
                pictures = self.evaluation.draw(self.training.pictures)
                for name, picture in write_pictures(pictures, self.folder / "pictures"):
                    loop.reporter.picture(name, picture)
        loop.close()
        report.check_complete()
        return summary


def prepared_clips(clips: Clips, model: Any) -> Clips:
    """The clips as `model` wants them: framed, with the flow of an estimator that data workers can run."""
    rule = getattr(model, "framing", None)
    flow = getattr(model, "flow", None)
    framed = clips if rule is None else Framed(clips, rule)
    return WithFlow(framed, flow) if flow is not None and getattr(flow, "in_workers", False) else framed
