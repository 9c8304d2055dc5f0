"""Fetch published weights: python -m prepare.weights pi3 raft geomotion (--list shows all).

A file goes to ROOT/NAME/FILE (ROOT is `checkpoints` unless --root says otherwise), is checked, and only then appears
under its name. An interrupted download goes on where it stopped. Without network, `--from FILE` checks and copies a
file that was fetched elsewhere. Exit status: 0 if every named file is there and good, else 1.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import struct
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from motion4d.io.files import atomic_path
from prepare.download import DownloadError, PrintedProgress, Progress, download, partial_path
from prepare.published import FILES, Published


class BadFile(Exception):
    """A file that is not what was published."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print(listing(options.root))
        return 0
    _refuse_nonsense(parser, options)
    failed = [name for name in options.names if not _prepare(FILES[name], options)]
    return 1 if failed else 0


def listing(root: Path) -> str:
    """One block per file: what it is, size, licence, source, and whether it is there."""
    blocks = []
    for published in FILES.values():
        path = published.path(root)
        state = "there" if path.is_file() else "not there"
        facts = [published.title, f"{published.size}; licence: {published.licence}", published.url, f"{path} ({state})"]
        blocks.append("\n".join([published.name, *(f"    {fact}" for fact in facts)]))
    return "\n".join(blocks)


def fetch(published: Published, root: Path, *, progress: Progress) -> Path:
    """Download one file into `root`, checked; DownloadError or BadFile say what went wrong."""
    target = published.path(root)
    served = download(published.url, target, progress=progress)
    partial = partial_path(target)
    try:
        check(partial, published, sha256=served.sha256)
    except BadFile:
        partial.unlink()
        raise
    partial.replace(target)
    return target


def copy(source: Path, published: Published, root: Path) -> Path:
    """Check a file that was fetched elsewhere, and copy it to its place."""
    target = published.path(root)
    if not source.is_file():
        raise BadFile(f"there is no file {source}; --from names the file that was fetched elsewhere")
    check(source, published)
    if not (target.exists() and target.samefile(source)):
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    return target


def check(path: Path, published: Published, *, sha256: str = "") -> None:
    """BadFile unless the file is complete and agrees with the published checksum, where there is one."""
    if not path.is_file():
        raise BadFile(f"{path} is not there; run: python -m prepare.weights {published.name}")
    _check_complete(path, published.file_name)
    expected = sha256 or published.sha256_start
    if expected:
        found = _sha256_of(path)
        if not found.startswith(expected):
            raise BadFile(
                f"{path} is not the published {published.file_name}: its SHA-256 is {found[: max(8, len(expected))]}, "
                f"{expected} was published"
            )


def _check_complete(path: Path, name: str) -> None:
    """Whether the container is whole, as far as its own table of contents tells."""
    if name.endswith(".safetensors"):
        if path.stat().st_size != _safetensors_size(path):
            raise BadFile(f"{path} is not a complete safetensors file")
    elif not (zipfile.is_zipfile(path) or _is_old_torch(path)):
        raise BadFile(f"{path} is not a complete torch file")


def _safetensors_size(path: Path) -> int:
    """The size that the header promises; -1 if it is no header."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= path.stat().st_size:
            return -1
        try:
            header = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, TypeError, AttributeError, LookupError):
            return -1
    return 8 + length + max(ends, default=0)


def _is_old_torch(path: Path) -> bool:
    """Whether it begins as torch files before 1.6 do; these have no table of contents."""
    with path.open("rb") as file:
        return file.read(1) == b"\x80"


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _prepare(published: Published, options: argparse.Namespace) -> bool:
    """Bring or check one file and say so; False if it failed."""
    target = published.path(options.root)
    print(f"{published.name}: {published.title}, {published.size}. Licence: {published.licence}")
    try:
        if options.source is not None:
            copy(options.source, published, options.root)
        elif options.check:
            check(target, published)
        elif target.exists():
            _check_present(target, published)
        else:
            print(f"{published.name}: from {published.url}")
            fetch(published, options.root, progress=PrintedProgress(published.name))
    except (DownloadError, BadFile, OSError) as error:
        print(f"{published.name}: {error}", file=sys.stderr)
        return False
    print(f"{published.name}: {target} is there and {_assurance(published)}")
    return True


def _check_present(target: Path, published: Published) -> None:
    try:
        check(target, published)
    except BadFile as error:
        raise BadFile(f"{error}; remove it to fetch it again") from error


def _assurance(published: Published) -> str:
    return "its checksum is right" if published.sha256_start else "complete"


def _refuse_nonsense(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    unknown = [name for name in options.names if name not in FILES]
    if unknown or not options.names:
        what = f"unknown: {', '.join(unknown)}" if unknown else "which weights?"
        parser.error(f"{what}; there are {', '.join(FILES)} (--list says more)")
    if options.source is not None and len(options.names) != 1:
        parser.error("--from FILE brings one file: give one name")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m prepare.weights", description="Fetch published weights.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FILES))
    parser.add_argument("--root", type=Path, default=Path("checkpoints"), help="folder for ROOT/NAME/FILE")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="copy this file instead of fetching it"
    )
    parser.add_argument("--check", action="store_true", help="only check what is there, fetch nothing")
    parser.add_argument("--list", action="store_true", help="show every file, its licence and its source")
    return parser


if __name__ == "__main__":
    sys.exit(main())
