"""The archives of a data set that needs no agreement: fetched with resume, checked where a checksum is published."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from prepare.dataset import Download
from prepare.download import DownloadError, PrintedProgress, download, partial_path


def fetch_all(downloads: Sequence[Download], folder: Path) -> list[Path]:
    """Bring every archive into `folder` unless it is there already; a DownloadError says what went wrong."""
    return [_fetch(archive, folder / archive.file_name) for archive in downloads]


def _fetch(archive: Download, target: Path) -> Path:
    if target.is_file():
        return target
    print(f"{archive.file_name}: {archive.size} from {archive.url}")
    download(archive.url, target, progress=PrintedProgress(archive.file_name))
    partial = partial_path(target)
    if archive.md5 and _md5(partial) != archive.md5:
        partial.unlink()
        raise DownloadError(f"{archive.url} is not the published archive (its MD5 is not {archive.md5}); it is removed")
    return partial.replace(target)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
