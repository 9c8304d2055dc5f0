"""Sequences that lie in memory as clips (procedural scenes), scored one after the other; what is scored is up to
subclasses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from motion4d.clip import Clip, Source
from motion4d.data.sampling import Clips
from motion4d.engine.report import Report

_log = logging.getLogger(__name__)


class MemoryGroup:
    """name: of the group, "" to take each clip's own data set; models: names of those that are run."""

    def __init__(self, name: str, clips: Clips, models: Iterable[str]) -> None:
        self.name = name
        self.clips = clips
        self.models = tuple(models)

    def __len__(self) -> int:
        """Number of sequences."""
        return len(self.clips)

    def run(self, index: int, report: Report) -> None:
        """Score every model on one sequence; what fails is noted in the report."""
        name = f"{self.name}/{index}"
        try:
            clip = self.clips[index]
            source = self.source(clip, index)
            name = f"{source.dataset}/{source.sequence}"
            about = {"group": source.dataset, "sequence": source.sequence}
            rows = [{"model": model, **about, **self.scores(model, clip, source)} for model in self.models]
        except (ValueError, OSError, RuntimeError) as error:
            _log.warning("%s failed: %s", name, error)
            _log.debug("traceback", exc_info=True)
            report.failed[name] = f"{type(error).__name__}: {error}"
            return
        report.rows.extend(rows)

    def finish(self, report: Report) -> None:
        """Nothing is left to do: the means follow from the rows."""

    def scores(self, model: str, clip: Clip, source: Source) -> dict[str, Any]:
        """What the model `model` reaches on one clip."""
        raise NotImplementedError

    def source(self, clip: Clip, index: int) -> Source:
        """Where the clip came from, under the group's name if it has one."""
        source = clip.sources[0] if clip.sources else Source(sequence=f"{index:04d}")
        return Source(self.name or source.dataset, source.sequence, source.frames, source.frame_rate)


def stems_of(source: Source, count: int) -> tuple[str, ...]:
    """Names of the files of a sequence's frames: its own, or numbers."""
    return source.frames or tuple(f"{k:05d}" for k in range(count))
