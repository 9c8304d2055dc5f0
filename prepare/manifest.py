"""manifest.json of a prepared root: what was made from what, and the facts of every sequence; examining a sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motion4d.io.files import read_json, write_json
from prepare.dataset import Dataset, Facts
from prepare.describing import describe, is_complete

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


def is_there(root: Path, name: str, facts: Facts, dataset: Dataset) -> bool:
    """Whether a sequence that the manifest knows still has all its files."""
    try:
        files = dataset.sequence(root, name)
        return is_complete(files, facts) if dataset.describe is None else dataset.describe(files) == (facts, [])
    except (ValueError, OSError):
        return False


def examine(root: Path, name: str, dataset: Dataset) -> tuple[Facts | None, list[str]]:
    """The facts of a prepared sequence and everything that is wrong with it, one sentence each."""
    try:
        files = dataset.sequence(root, name)
        facts, problems = (dataset.describe or describe)(files)
        problems += dataset.check(files, facts)
    except (ValueError, OSError) as error:
        return None, [f"{name}: {error}"]
    return facts, [f"{name}: {problem}" for problem in problems]


def _facts(entry: Mapping[str, Any]) -> Facts:
    height, width = entry["size"]
    return Facts(entry["frames"], entry["labelled"], (height, width), tuple(entry["ids"]))
