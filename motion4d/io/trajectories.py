"""Track files of the FBMS-59 evaluation (`Tracks<N>.dat`): labelled point trajectories as text. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Trajectories:
    """length: evaluated frames; per point of every trajectory its label, x and y in pixels and 0-based frame: [P]."""

    length: int
    labels: np.ndarray
    x: np.ndarray
    y: np.ndarray
    frames: np.ndarray


def read_trajectories(path: Path) -> Trajectories:
    """Read `length`, the number of tracks, and per track `label points` and its `x y frame` lines.

    A ValueError names a file that is cut short, holds something else, or has a track with a gap in time.
    """
    try:
        numbers = np.array(path.read_text(encoding="ascii").split(), dtype=np.float64)
        length, tracks = int(numbers[0]), int(numbers[1])
        labels: list[np.ndarray] = []
        points, place = [np.zeros((0, 3))], 2
        for _ in range(tracks):
            label, count = int(numbers[place]), int(numbers[place + 1])
            track = numbers[place + 2 : place + 2 + 3 * count].reshape(count, 3)
            if label < 0 or (np.diff(track[:, 2]) != 1).any():
                raise ValueError(f"track {len(labels)} has a gap in time or a negative label")
            labels.append(np.full(count, label))
            points.append(track)
            place += 2 + 3 * count
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} is not a complete track file ({error})") from error
    x, y, frames = np.concatenate(points).T
    return Trajectories(length, np.concatenate([*labels, np.zeros(0)]).astype(np.int64), x, y, frames.astype(np.int64))
