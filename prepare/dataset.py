"""What a `python -m prepare.NAME` is made of: a description of the data set and a function that says what goes where.

A data set's own file holds a `Dataset` and `main = partial(run, DATASET)` (prepare.command does everything else):
unpacking, placing, resuming, the manifest, checking, downloading.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What goes below the root: name -> the source's file to place there, or a function that writes the path it is given.
Content = Path | Callable[[Path], None]
Files = Mapping[str, Content]


@dataclass(frozen=True)
class Job:
    """One sequence to prepare. files: says what it consists of; ValueError or OSError if the source is broken there."""

    name: str
    files: Callable[[], Files]


@dataclass(frozen=True)
class Download:
    """An archive that anybody may fetch without an agreement. md5: as published, or ""."""

    url: str
    size: str
    md5: str = ""

    @property
    def file_name(self) -> str:
        """The archive's published name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Facts:
    """What the manifest keeps of a sequence: size (H, W) and number of frames, how many of them have a mask or depth
    (`labelled`), ids that occur in the masks.
    """

    frames: int
    labelled: int
    size: tuple[int, int]
    ids: tuple[int, ...]


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """A data set without options of its own."""


@dataclass(frozen=True)
class Dataset:
    """One published data set.

    name: of the command; licence, origin: what --help says, and where to ask for the data; version: of the conversion,
    raised when its result changes; root: where it goes unless --root says otherwise.
    jobs(sources, options): the sequences that these folders hold, in order; ValueError if there are none.
    names(root), sequence(root, name): which sequences a prepared root holds, and one of them (the layout's functions;
    SequenceFiles or GeometryFiles, or whatever `describe` takes).
    published(options): the sequences that there should be -> number of frames, None where it is not known.
    check(files, facts): what is wrong with a prepared sequence, beyond what holds for every data set.
    describe(files): the facts and what is wrong, for what are no folders of frames; None: as for all that are.
    arguments: adds options of the data set's own; `kept` names those on which the result depends.
    """

    name: str
    title: str
    licence: str
    origin: str
    version: int
    root: Path
    jobs: Callable[[Sequence[Path], argparse.Namespace], Iterable[Job]]
    names: Callable[[Path], list[str]]
    sequence: Callable[[Path, str], Any]
    published: Callable[[argparse.Namespace], Mapping[str, int | None]] = lambda options: {}
    check: Callable[[Any, Facts], list[str]] = lambda files, facts: []
    describe: Callable[[Any], tuple[Facts, list[str]]] | None = None
    downloads: tuple[Download, ...] = ()
    arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    kept: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """How it is started."""
        return f"python -m prepare.{self.name}"


def find_root(sources: Sequence[Path], holds: Callable[[Path], bool], *, what: str, depth: int = 4) -> Path:
    """The first folder, at most `depth` levels below the sources, that `holds` what is looked for; nearest first.

    A ValueError that names `what` if there is none.
    """
    level = list(sources)
    for _ in range(depth + 1):
        for folder in level:
            if holds(folder):
                return folder
        level = [child for folder in level for child in sorted(folder.iterdir()) if _is_open(child)]
    looked = ", ".join(str(source) for source in sources)
    raise ValueError(f"there is no {what} in {looked} (looked {depth} folders deep); name the folder that holds it")


def find_all(sources: Sequence[Path], holds: Callable[[Path], bool], *, what: str, depth: int = 4) -> dict[str, Path]:
    """Name -> folder for every folder, at most `depth` levels below the sources, that `holds` what is looked for.

    In the order of their names; of two folders of one name the first counts. A ValueError if there are none.
    """
    found: dict[str, Path] = {}
    level = list(sources)
    for _ in range(depth + 1):
        for folder in filter(holds, level):
            found.setdefault(folder.name, folder)
        level = [
            child for folder in level if not holds(folder) for child in sorted(folder.iterdir()) if _is_open(child)
        ]
    if not found:
        looked = ", ".join(str(source) for source in sources)
        raise ValueError(f"there is no {what} in {looked} (looked {depth} folders deep); name the folder that holds it")
    return {name: found[name] for name in sorted(found)}


def _is_open(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
