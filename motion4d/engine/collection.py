"""A task over one sequence or over a folder of them: one that is broken does not stop the others.

It is named and counted in sequences.json, and the task ends as incomplete.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from motion4d.engine.errors import Incomplete
from motion4d.engine.runtime import Runtime
from motion4d.io.files import check_writable, write_json
from motion4d.io.frames import FrameSource, open_input

_log = logging.getLogger(__name__)

Summary = dict[str, Any]


def opened(
    input: str | Path | None, *, output: Path, runtime: Runtime, fps: float | None, max_frames: int | None
) -> list[FrameSource]:
    """The sequences of a task's input (motion4d.io.frames), before any work: one sentence if there is nothing to read,
    or if the output cannot be written.
    """
    if input is None:
        raise ValueError("input= is missing: give a video, a folder of frames, a glob, or a folder of sequences")
    sources = open_input(input, fps=fps, max_frames=max_frames)
    check_writable(output)
    runtime.apply_threads()
    _log.info("%d sequence%s, on %s", len(sources), "s" * (len(sources) > 1), runtime.describe())
    return sources


def run_sequences(
    sources: Sequence[FrameSource], work: Callable[[FrameSource], Summary], *, output: Path, figure: str
) -> dict[str, Summary]:
    """Do the work on every source; returns name -> summary of those that are finished.

    figure: the entry of the summaries that sequences.json lists.
    """
    if not sources[0].folder:
        return {sources[0].name: work(sources[0])}
    summaries: dict[str, Summary] = {}
    failed: dict[str, str] = {}
    for number, source in enumerate(sources, 1):
        try:
            summaries[source.folder] = work(source)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            _log.warning("%s failed (%d of %d): %s", source.folder, number, len(sources), error)
            _log.debug("traceback", exc_info=True)
            failed[source.folder] = str(error)
    values = {name: summary[figure] for name, summary in summaries.items()}
    write_json(output / "sequences.json", {figure: values, "failed": failed})
    if failed:
        shown = "; ".join(f"{name}: {error}" for name, error in list(failed.items())[:3])
        raise Incomplete(
            f"{len(failed)} of {len(sources)} sequences failed ({shown}); all of them are named in "
            f"{output / 'sequences.json'}"
        )
    return summaries


def identity(source: FrameSource) -> dict[str, Any]:
    """What tells whether the input is still the same: where it lies, and a checksum over its files' names and times."""
    files = getattr(source, "paths", (source.path,))
    known = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return {"input": str(source.path.resolve()), "files": f"{zlib.crc32(repr(known).encode()):08x}"}
