"""manifest.json of a prepared root: what was made from what, and the facts of every sequence; examining a sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion4d.io.files import read_json, write_json
from motion4d.io.images import image_size
from motion4d.layouts.sequence import SequenceFiles
from prepare.dataset import Dataset, Facts

FILE = "manifest.json"


@dataclass
class Manifest:
    """options: those on which the result depends; sources: names and sizes; complete: whether every job succeeded."""

    dataset: str
    version: int
    options: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False
    sequences: dict[str, Facts] = field(default_factory=dict)

    def is_of(self, other: Manifest) -> bool:
        """Whether both come from the same conversion with the same options, so that sequences can stay."""
        return (self.dataset, self.version, self.options) == (other.dataset, other.version, other.options)

    def write(self, root: Path) -> None:
        """Write it into the root."""
        write_json(root / FILE, dataclasses.asdict(self))


def read_manifest(root: Path) -> Manifest | None:
    """The manifest of a root, None if it has none; a ValueError if it is damaged."""
    if not (root / FILE).is_file():
        return None
    content = read_json(root / FILE)
    try:
        sequences = {name: _facts(entry) for name, entry in content.pop("sequences").items()}
        return Manifest(**content, sequences=sequences)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise ValueError(f"{root / FILE} is not a manifest of this program ({error}); remove it") from error


def describe(files: SequenceFiles, dataset: Dataset) -> tuple[Facts, list[str]]:
    """The facts of a sequence and what is wrong with it: sizes that differ, files that cannot be read."""
    problems, ids = [], set()
    sizes = {image: image_size(image) for image in files.images}
    size = sizes[files.images[0]]
    odd = [image for image, found in sizes.items() if found != size]
    if odd:
        problems.append(f"{odd[0].name} is {_shown(sizes[odd[0]])}, {files.images[0].name} is {_shown(size)}")
    for stem, path in files.annotations.items():
        labels = dataset.read_labels(path)
        ids.update(np.unique(labels).tolist())
        if labels.shape != size:
            problems.append(f"the mask of {stem} is {_shown(labels.shape)}, the frames are {_shown(size)}")
    return Facts(len(files.images), len(files.annotations), size, tuple(sorted(ids))), problems[:3]


def is_there(root: Path, name: str, facts: Facts, dataset: Dataset) -> bool:
    """Whether a sequence that the manifest knows still has all its files."""
    try:
        files = dataset.sequence(root, name)
    except (ValueError, OSError):
        return False
    return (len(files.images), len(files.annotations)) == (facts.frames, facts.labelled) and all(
        path.is_file() for path in (*files.images, *files.annotations.values())
    )


def examine(root: Path, name: str, dataset: Dataset) -> tuple[Facts | None, list[str]]:
    """The facts of a prepared sequence and everything that is wrong with it, one sentence each."""
    try:
        files = dataset.sequence(root, name)
        facts, problems = describe(files, dataset)
        problems += dataset.check(files, facts)
    except (ValueError, OSError) as error:
        return None, [f"{name}: {error}"]
    return facts, [f"{name}: {problem}" for problem in problems]


def _facts(entry: Mapping[str, Any]) -> Facts:
    height, width = entry["size"]
    return Facts(entry["frames"], entry["labelled"], (height, width), tuple(entry["ids"]))


def _shown(size: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(size))
