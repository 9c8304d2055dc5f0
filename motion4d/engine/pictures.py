"""Pictures of an evaluation: frames of some sequences, and below them the truth, our masks and the baselines'."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch import Tensor

from motion4d.clip import Clip, Source
from motion4d.io.images import write_image
from motion4d.viz.comparison import comparison_sheet

Example = tuple[Source, Clip, dict[str, Tensor]]  # where from, the clip, masks [N, H, W] per model


def draw_examples(examples: Iterable[Example], folder: Path) -> list[tuple[str, np.ndarray]]:
    """Write folder/DATASET_SEQUENCE.png for each example; returns (name, image [H, W, 3] uint8) of each."""
    drawn = []
    for source, clip, masks in examples:
        images = (clip.images[0].permute(0, 2, 3, 1) * 255).round().byte().numpy()
        rows = {"truth": clip.motion[0].numpy()} if clip.motion is not None else {}
        rows.update({name: mask.numpy() for name, mask in masks.items()})
        name = f"{source.dataset}_{source.sequence}".replace("/", "_")
        sheet = comparison_sheet(images, rows, f"{source.dataset} {source.sequence}: what moves in the world")
        write_image(folder / f"{name}.png", sheet)
        drawn.append((name, sheet))
    return drawn
