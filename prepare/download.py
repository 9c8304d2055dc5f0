"""Downloading a large file: resumed where it stopped, checked against what the server says, renamed when complete.

The bytes go to `FILE.part` beside the target; a later call asks the server for the rest (HTTP Range). Only the standard
library is used. Every failure is a DownloadError of one sentence.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

BLOCK = 1 << 20
TIMEOUT = 30.0  # seconds without an answer
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all (None if the server does not say)


class DownloadError(Exception):
    """A file could not be fetched; what is already there stays for the next attempt."""


@dataclass
class Served:
    """What the server says of a file: bytes in all, and its SHA-256 where it publishes one."""

    total: int | None = None
    sha256: str = ""


class PrintedProgress:
    """Prints a line at every tenth of a download (every 100 MB if its size is not known)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tenths = -1

    def __call__(self, done: int, total: int | None) -> None:
        """Called after every block."""
        tenths = 10 * done // total if total else done // (100 << 20)
        if tenths > self.tenths:
            self.tenths = tenths
            share = f"{10 * tenths:3d} % of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
            print(f"{self.name}: {share}", flush=True)


def partial_path(target: Path) -> Path:
    """Where the bytes of an unfinished download lie."""
    return target.with_name(target.name + ".part")


def download(url: str, target: Path, *, progress: Progress, attempts: int = 5) -> Served:
    """Fetch `url` into `partial_path(target)`, going on from what lies there, until it is complete.

    A connection that breaks is taken up again as long as each attempt brings something, at most `attempts` times.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)
    for _ in range(attempts):
        before = _size(partial)
        served = _attempt(url, partial, progress)
        have = _size(partial)
        if served.total is None or have == served.total:
            return served
        if have > served.total:
            partial.unlink()
            raise DownloadError(f"{partial} was longer than the file at {url} and has been removed; run it again")
        if have <= before:
            break
    raise DownloadError(
        f"{urlsplit(url).hostname} broke off at {have} of {served.total} bytes; run it again to go on from there"
    )


def _attempt(url: str, partial: Path, progress: Progress) -> Served:
    """One request; whatever arrives is appended (or starts anew if the server ignores Range)."""
    have = _size(partial)
    request = urllib.request.Request(url, headers={"User-Agent": "motion4d", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    redirects = _RememberChecksum()
    try:
        with urllib.request.build_opener(redirects).open(request, timeout=TIMEOUT) as response:
            resumed = response.status == http.client.PARTIAL_CONTENT
            served = Served(
                _total(response.headers, have if resumed else 0), redirects.sha256 or _sha256(response.headers)
            )
            with partial.open("ab" if resumed else "wb") as file:
                _copy(response, file, served.total, progress)
            return served
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return Served(_range_total(error.headers), redirects.sha256 or _sha256(error.headers))
        raise DownloadError(f"{urlsplit(url).hostname} answers {error.code} {error.reason} for {url}") from error
    except (OSError, http.client.HTTPException) as error:  # refused connections, timeouts, a full disk, no HTTP
        raise DownloadError(_explain(url, error)) from error


def _copy(response: Any, file: IO[bytes], total: int | None, progress: Progress) -> None:
    """Append the body; a connection that breaks ends it quietly, the caller looks at the size."""
    while True:
        try:
            block = response.read(BLOCK)
        except (http.client.IncompleteRead, ConnectionError, TimeoutError):
            return
        if not block:
            return
        file.write(block)
        progress(file.tell(), total)


class _RememberChecksum(urllib.request.HTTPRedirectHandler):
    """The model hub names a file's SHA-256 in the answer that redirects to the storage: keep it."""

    sha256 = ""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Follow as usual."""
        self.sha256 = self.sha256 or _sha256(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _sha256(headers: Message) -> str:
    value = (headers.get("X-Linked-Etag") or "").strip('W/"').lower()
    return value if re.fullmatch(r"[0-9a-f]{64}", value) else ""


def _total(headers: Message, have: int) -> int | None:
    whole = _range_total(headers)
    if whole is not None:
        return whole
    length = headers.get("Content-Length")
    return have + int(length) if length and length.isdecimal() else None


def _range_total(headers: Message) -> int | None:
    """Bytes in all from "Content-Range: bytes 5-9/10" or "bytes */10"."""
    found = re.search(r"/(\d+)$", headers.get("Content-Range") or "")
    return int(found.group(1)) if found else None


def _explain(url: str, error: Exception) -> str:
    reason = getattr(error, "reason", error)
    text = getattr(reason, "strerror", None) or str(reason) or type(error).__name__
    if isinstance(error, urllib.error.URLError | TimeoutError | ConnectionError | http.client.HTTPException):
        return (
            f"cannot reach {urlsplit(url).hostname} ({text}); without network, bring the file yourself: --from FILE "
            "(weights) or --source FILE (data sets)"
        )
    return f"cannot store {url} ({text})"


def _size(path: Path) -> int:
    return os.path.getsize(path) if path.exists() else 0
