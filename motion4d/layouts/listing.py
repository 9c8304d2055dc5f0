"""All sequences of a data set: of a list of names, or whatever a root holds. No torch.

A sequence with missing or strange files does not end the work on the others: it is listed with its problem, which
whoever opens it meets as an error.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from motion4d.layouts.geometry import GeometryFiles
from motion4d.layouts.sequence import SequenceFiles

_log = logging.getLogger(__name__)

Files = TypeVar("Files", SequenceFiles, GeometryFiles)


def each_sequence(kind: type[Files], names: Iterable[str], find: Callable[[str], Files]) -> list[Files]:
    """The files that `find` finds for every name; where it raises ValueError or OSError, a `kind` with that problem.

    If all of them are broken, it is the data set that is: the first error is raised.
    """
    found: list[Files] = []
    errors: list[ValueError | OSError] = []
    for name in names:
        try:
            found.append(find(name))
        except (ValueError, OSError) as error:
            errors.append(error)
            found.append(kind(name, (), problem=" ".join(str(error).split())))
    if errors and len(errors) == len(found):
        raise errors[0]
    return found


def listed(
    kind: type[Files],
    root: Path,
    names: Callable[[Path], list[str]],
    sequence: Callable[[Path, str], Files],
    *,
    prepare: str,
) -> list[Files]:
    """Every sequence below `root`; a FileNotFoundError that names the command `prepare` if there are none."""
    if not root.exists():
        raise FileNotFoundError(f"there is no {root}; run: {prepare} --root {root}")
    found = each_sequence(kind, names(root), lambda name: sequence(root, name))
    if not found:
        raise FileNotFoundError(f"{root} holds no complete sequences; run: {prepare} --root {root}")
    return found


def without_broken(found: Sequence[Files], *, name: str) -> list[Files]:
    """The sequences that can be used, for training on the data set `name`; a warning says how many are left out."""
    broken = [files for files in found if files.problem is not None]
    if broken:
        counted = f"{len(broken)} of {len(found)} sequences"
        _log.warning("%s: %s are left out; the first: %s", name, counted, broken[0].problem)
    return [files for files in found if files.problem is None]
