"""Which records belong to training and which to validation: whole scenes, drawn by Python's own generator."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


def scene_of(key: str) -> str:
    """The visit: what stands before a key's first slash."""
    return key.partition("/")[0]


def split_by_scene(keys: Sequence[str], share: float, seed: int) -> tuple[list[int], list[int]]:
    """(training, validation): indices of `keys`, scene after scene in order of their first appearance.

    share: of the scenes that become validation, rounded half to even; seed: of their drawing. As published.
    """
    groups = _groups(keys, range(len(keys)))
    scenes = sorted(groups)
    random.Random(seed).shuffle(scenes)
    held_out = set(scenes[: round(len(scenes) * share)])
    parts: tuple[list[int], list[int]] = ([], [])
    for scene, indices in groups.items():
        parts[scene in held_out].extend(indices)
    return parts


def part_of_scenes(keys: Sequence[str], indices: Sequence[int], share: float, seed: int) -> list[int]:
    """Those of `indices` in scenes drawn until they hold `share` of them, in the order of drawing. As published."""
    groups = _groups(keys, indices)
    scenes = sorted(groups)
    random.Random(seed).shuffle(scenes)
    chosen: list[int] = []
    for scene in scenes:
        if len(chosen) >= share * len(indices):
            break
        chosen += groups[scene]
    return chosen


@dataclass(frozen=True)
class TrainingScenes:
    """share, seed: of validation, as above; part: share of the training samples that are used (None: all), of scenes
    drawn with part_seed.
    """

    share: float = 0.1
    seed: int = 42
    part: float | None = None
    part_seed: int = 4242

    def __call__(self, keys: Sequence[str]) -> list[int]:
        """Indices of `keys`."""
        training = split_by_scene(keys, self.share, self.seed)[0]
        return training if self.part is None else part_of_scenes(keys, training, self.part, self.part_seed)


@dataclass(frozen=True)
class ValidationScenes:
    """share, seed: as above. The published test set is the same."""

    share: float = 0.1
    seed: int = 42

    def __call__(self, keys: Sequence[str]) -> list[int]:
        """Indices of `keys`."""
        return split_by_scene(keys, self.share, self.seed)[1]


def _groups(keys: Sequence[str], indices: Sequence[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index in indices:
        groups.setdefault(scene_of(keys[index]), []).append(index)
    return groups
