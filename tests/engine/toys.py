"""A model, clips and losses small enough to train in a blink: bright squares move, dim ones stand still."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.clip import Clip, Motion, Source
from motion4d.engine.ema import Ema
from motion4d.engine.runtime import Runtime, seed_everything
from motion4d.engine.schedule import Cosine
from motion4d.engine.train import Train
from motion4d.engine.training import Training
from motion4d.engine.windows import Window
from motion4d.framing import Native


class ToyModel(nn.Module):
    """Two convolutions per frame, with dropout, so that random states matter."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.framing = Native(multiple=4)
        self.flow = None
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Dropout(dropout), nn.Conv2d(8, 1, 3, padding=1)
        )

    def forward(self, clip: Clip, progress: Any = None) -> Motion:
        """Logits of every frame."""
        images = clip.images
        return Motion(self.net(images.flatten(0, 1)).reshape(*images.shape[:2], *images.shape[-2:]))


class ToyClips:
    """`count` clips of 3 frames, 14 x 16 pixels; noise is drawn anew in every epoch."""

    def __init__(self, count: int = 12, broken: int | None = None) -> None:
        self.count = count
        self.broken = broken

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Clip:
        if index == self.broken:
            raise OSError(f"clip {index} cannot be read")
        images = 0.1 * torch.rand(1, 3, 3, 14, 16)
        motion = torch.zeros(1, 3, 14, 16, dtype=torch.bool)
        for t in range(3):
            motion[0, t, 4:9, 2 + t + index % 4 : 8 + t + index % 4] = index % 3 != 2
        images[:, :, 0][motion] = 1.0
        return Clip(images, motion=motion, sources=(Source("toys", f"{index:02d}"),))


def toy_losses(prediction: Motion, clip: Clip) -> dict[str, Tensor]:
    """Cross-entropy."""
    assert clip.motion is not None
    value = F.binary_cross_entropy_with_logits(prediction.logits.float(), clip.motion.float())
    return {"bce": value, "total": value}


def toy_task(output: Path, *, losses: Any = toy_losses, **changes: Any) -> Train:
    """A training of ToyModel; changes go to Training or Runtime, whichever knows them, or to Train."""
    settings = {"steps": 8, "batch_size": 2, "log_every": 2, "checkpoint_every": 3, "pictures": 0, "ema": Ema(0.5)}
    runtime = {"device": "cpu", "precision": "fp32", "threads": 1}
    task: dict[str, Any] = {"data": {"train": ToyClips(), "eval": ToyClips(3)}, "scheduler": Cosine(warmup=1)}
    for name, value in changes.items():
        place = runtime if name in Runtime.__dataclass_fields__ else task
        (settings if name in Training.__dataclass_fields__ else place)[name] = value
    seed_everything(5)
    task.setdefault("model", ToyModel())
    task.setdefault("optimizer", partial(torch.optim.AdamW, lr=0.02))
    return Train(
        losses=losses,
        training=Training(**settings),
        runtime=Runtime(**runtime),
        output=output,
        window=Window(),
        seed=3,
        **task,
    )


class FailingLosses:
    """toy_losses that break at the n-th call: a run that is killed in the middle of a step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, prediction: Motion, clip: Clip) -> dict[str, Tensor]:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("killed")
        return toy_losses(prediction, clip)
