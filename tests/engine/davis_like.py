"""A tiny data set in the layout of DAVIS, written by the test: a bright square moves, a dim one stands still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motion4d.io.images import write_image
from motion4d.layouts.sequence import SequenceFiles

SIZE = (20, 30)  # H, W


@dataclass
class Folders:
    """A data set on disk as an evaluation needs it: ROOT/JPEGImages/SEQUENCE and ROOT/Annotations/SEQUENCE."""

    root: Path
    protocol: str = "geomotion"
    name: str = "davis_like"

    @property
    def annotations(self) -> Path:
        """The folder that eval.segmentation is given."""
        return self.root / "Annotations"

    @property
    def sequences(self) -> Sequence[SequenceFiles]:
        """In the order of their names."""
        return [
            SequenceFiles(folder.name, tuple(sorted(folder.iterdir())), _by_stem(self.annotations / folder.name))
            for folder in sorted((self.root / "JPEGImages").iterdir())
        ]


def write_davis_like(
    root: Path,
    lengths: Mapping[str, int],
    *,
    label_every: int = 1,
    image_size: tuple[int, int] = SIZE,
    images: str = "JPEGImages",
    annotations: str = "Annotations",
) -> None:
    """Sequence -> number of frames; image_size: of the frames (annotations have SIZE); images, annotations: folders."""
    for name, length in lengths.items():
        for t in range(length):
            truth = np.zeros(SIZE, np.uint8)
            truth[4:12, t % 20 : t % 20 + 9] = 1
            image = np.full((*SIZE, 3), 20, np.uint8)
            image[14:18, 20:28] = 50
            image[truth > 0] = (255, 200, 60)
            tall, wide = image_size[0] // SIZE[0], image_size[1] // SIZE[1]
            write_image(root / images / name / f"{t:05d}.png", image.repeat(tall, axis=0).repeat(wide, axis=1))
            if t % label_every == 0:
                write_image(root / annotations / name / f"{t:05d}.png", truth)


def _by_stem(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.iterdir())}
