"""Predictions of a sequence that are not made twice: a folder that appears when it is complete, and a note beside it
that is written last and says with which settings.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from motion4d.engine.stopwatch import Stopwatch
from motion4d.io.files import make_folder, read_json, write_json

_log = logging.getLogger(__name__)


def write_once(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    write: Callable[[Path, Stopwatch], None],
    *,
    frames: int,
    is_complete: Callable[[Path], bool],
) -> None:
    """Fill folder/NAME by `write`, unless folder/NAME.json has the same settings and `is_complete` finds all files.

    settings: everything that the files depend on, plain values; frames: for the note.
    """
    target, note = folder / name, folder / f"{name}.json"
    settings = json.loads(json.dumps(settings))  # as the note gives them back
    if finished_settings(note) == settings and is_complete(target):
        _log.info("%s: predicted before, in %s", name, target)
        return
    note.unlink(missing_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    watch = Stopwatch()
    hidden = folder / f".{name}.unfinished"
    shutil.rmtree(hidden, ignore_errors=True)
    make_folder(hidden)
    try:
        write(hidden, watch)
        os.replace(hidden, target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    write_json(note, {"frames": frames, "seconds": watch.seconds(), "settings": settings})


def finished_settings(note: Path) -> Any:
    """The settings of a finished prediction; None if there is none or the note is damaged."""
    try:
        return read_json(note).get("settings")
    except (FileNotFoundError, ValueError):
        return None
