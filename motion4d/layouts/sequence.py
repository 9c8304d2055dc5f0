"""One video of a dataset on disk: which files are its frames, and which annotate them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class VideoFiles:
    """images: in temporal order. problem: what is wrong with a sequence that cannot be used; it has no files then."""

    name: str
    images: tuple[Path, ...]
    problem: str | None = field(default=None, kw_only=True)

    def check(self) -> Self:
        """The sequence itself, or its problem as a ValueError if it has one."""
        if self.problem is not None:
            raise ValueError(self.problem)
        return self

    @property
    def stems(self) -> tuple[str, ...]:
        """Stems of the images, in temporal order."""
        return tuple(image.stem for image in self.images)


@dataclass(frozen=True)
class SequenceFiles(VideoFiles):
    """annotations: stem of the image they belong to -> file, in the same order as the images.

    Only labelled frames have an annotation (FBMS-59 labels about every twentieth).
    """

    annotations: Mapping[str, Path] = field(default_factory=dict)
