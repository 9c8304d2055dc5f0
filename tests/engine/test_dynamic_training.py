"""training.batches: each batch in a shape of its own, the same ones after a kill; clips of one shape are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import Clip, Motion
from motion4d.data.dynamic_batches import DynamicBatches
from motion4d.data.reshaped import Reshaped
from motion4d.engine.train import Train
from tests.data.moving_things import walking_thing
from tests.engine.test_train import _losses, _weights
from tests.engine.toys import ToyClips, toy_task

BATCHES = DynamicBatches(max_images=8, frames=(2, 6), aspect=(0.5, 1.0), width=24, patch=4)


class Things:
    """Eight clips of six frames with depth and cameras."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Clip:
        return walking_thing(f"thing{index}", step=1 + index % 3)


class Watching:
    """A loss that remembers what it was given, and breaks when it was called `most` times."""

    def __init__(self, most: int = 1000) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.most = most

    def __call__(self, prediction: Motion, clip: Clip) -> dict[str, Tensor]:
        if len(self.shapes) == self.most:
            raise RuntimeError("killed")
        self.shapes.append(tuple(clip.images.shape))
        return bright(prediction, clip)


def bright(prediction: Motion, clip: Clip) -> dict[str, Tensor]:
    """What is bright shall be found."""
    target = (clip.images[:, :, 0] > 0.6).float()
    return {"total": F.binary_cross_entropy_with_logits(prediction.logits.float(), target)}


def task(folder: Path, **changes: Any) -> Train:
    settings: dict[str, Any] = {"losses": bright, "batches": BATCHES, "steps": 12, "log_every": 1}
    return toy_task(folder, data={"train": Reshaped(Things()), "eval": ToyClips(1)}, **{**settings, **changes})


def test_every_batch_has_a_shape_of_its_own(tmp_path: Path) -> None:
    watching = Watching()
    task(tmp_path, losses=watching, accumulation=2).run()
    assert len(watching.shapes) == 24
    assert len(set(watching.shapes)) > 8
    for clips, frames, _, height, width in watching.shapes:
        assert clips == max(1, 8 // frames)
        assert width == 24
        assert height in range(12, 25, 4)


def test_a_killed_run_goes_on_with_the_same_batches(tmp_path: Path) -> None:
    task(tmp_path / "whole").run()
    with pytest.raises(RuntimeError, match="killed"):
        task(tmp_path / "cut", losses=Watching(most=8)).run()
    task(tmp_path / "cut").run()
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")
    for name, value in _weights(tmp_path / "whole").items():
        assert value.equal(_weights(tmp_path / "cut")[name]), name
    with pytest.raises(ValueError, match=r"written with batches=DynamicBatches\(max_images=8"):
        task(tmp_path / "cut", batches=DynamicBatches(8, (2, 4), (0.5, 1.0), 24, 4), steps=20).run()


def test_an_epoch_is_as_long_as_its_batches(tmp_path: Path) -> None:
    progress = task(tmp_path, steps=None, epochs=3).training.progress(8, seed=5, ranks=1)
    assert progress.batches_per_epoch == len(BATCHES.sizes(8, seed=5, epoch=0, ranks=1))
    assert progress.steps == 3 * progress.batches_per_epoch


def test_clips_of_one_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ToyClips has clips of one shape; set training.batches=null"):
        toy_task(tmp_path, batches=BATCHES).run()
