"""What changes with the epochs of a training: rates in steps, and losses that know how far it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motion4d.clip import Clip, Motion
from motion4d.engine.progress import Progress
from motion4d.engine.schedule import MultiStep
from motion4d.losses.compose import Staged, WeightedSum
from tests.engine.toys import ToyModel, toy_losses, toy_task


def test_rates_in_steps_are_torchs() -> None:
    optimizer = torch.optim.Adam(ToyModel().parameters(), lr=2e-5)
    published = torch.optim.lr_scheduler.MultiStepLR(optimizer, [25, 27], gamma=0.1)
    for epoch in range(30):
        progress = Progress(steps=30 * 7, num_clips=7, step=7 * epoch + 3)
        assert 2e-5 * MultiStep([25, 27])(progress) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        published.step()


class Watching:
    """Cross-entropy that notes how far the training is."""

    def __init__(self, seen: list[float], share: float = 1.0) -> None:
        self.seen, self.share = seen, share

    def at(self, share: float) -> Watching:
        return Watching(self.seen, share)

    def __call__(self, prediction: Motion, clip: Clip) -> torch.Tensor:
        self.seen.append(self.share)
        return toy_losses(prediction, clip)["total"]


def test_a_training_tells_its_losses_how_far_it_is(tmp_path: Path) -> None:
    seen: list[float] = []
    losses = WeightedSum({"bce": Watching(seen)})
    assert isinstance(losses, Staged)
    toy_task(tmp_path, losses=losses, steps=None, epochs=2, batch_size=2, eval_every=None).run()
    assert seen == [0.0] * 6 + [0.5] * 6  # 12 clips; epochs count whole
