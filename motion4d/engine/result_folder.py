"""A folder whose results appear all at once: until `publish`, everything lies in a hidden folder beside them.

summary.json is written last, so that it marks the results as finished; it also says whose they are. Older results of
the same kind are replaced, files of those names that somebody else made are not. An error, Ctrl-C or the next run
removes the hidden folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motion4d.io.files import make_folder, read_json, write_json

_UNFINISHED = ".unfinished"
_SUMMARY = "summary.json"


class ResultFolder:
    """`begin`, write into `hidden`, `publish`; `clear` in any case at the end.

    mark: the kind of result, as summary.json names it; names: files and folders that belong to it.
    """

    def __init__(self, folder: Path, *, mark: str, names: Sequence[str]) -> None:
        self.folder = folder
        self.hidden = folder / _UNFINISHED
        self._mark = mark
        self._names = names
        self._made_folder = False

    def begin(self) -> None:
        """Make an empty hidden folder; a FileExistsError if foreign files stand where the results belong."""
        self._made_folder = not self.folder.exists()
        self._check_ours()
        make_folder(self.folder)
        shutil.rmtree(self.hidden, ignore_errors=True)
        make_folder(self.hidden)

    def publish(self, summary: Mapping[str, Any]) -> None:
        """Put what lies in the hidden folder in place of older results, and write the summary."""
        write_json(self.folder / _SUMMARY, {"kind": self._mark, "finished": False})
        for name in self._names:
            _remove(self.folder / name)
            if (self.hidden / name).exists():
                os.replace(self.hidden / name, self.folder / name)
        write_json(self.folder / _SUMMARY, {"kind": self._mark, "finished": True, **summary})

    def clear(self) -> None:
        """Remove the hidden folder, and the folder itself if `begin` made it and nothing was published."""
        shutil.rmtree(self.hidden, ignore_errors=True)
        if self._made_folder and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _check_ours(self) -> None:
        path = self.folder / _SUMMARY
        present = [name for name in self._names if (self.folder / name).exists()]
        if present and not (path.is_file() and self._mark in path.read_text()):
            raise FileExistsError(
                f"{self.folder} already holds {' or '.join(present)} that no {self._mark.removeprefix('motion4d ')} "
                "of ours wrote; choose another output folder"
            )


def read_finished(folder: str | Path, *, mark: str) -> dict[str, Any] | None:
    """The summary of results of the kind `mark` that were finished in this folder, or None."""
    path = Path(folder) / _SUMMARY
    if not path.is_file():
        return None
    try:
        summary = read_json(path)
    except ValueError:
        return None
    is_finished = isinstance(summary, dict) and summary.get("kind") == mark and summary.get("finished") is True
    return summary if is_finished else None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
