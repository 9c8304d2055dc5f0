"""Unpacking what was downloaded (zip, tar, tar.gz, ...) without leaving the folder and without half of an archive.

Only plain files are written: a link inside the archive becomes a copy of what it points to, and a name with `..`, an
absolute name, or a link that leads out is refused. An archive is unpacked under a temporary name and renamed when it is
complete, to its last checksum; what an interrupted run left is thrown away.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, Self

from motion4d.io.files import make_folder

BLOCK = 1 << 20
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class BadArchive(ValueError):
    """An archive that cannot be used; the message says why and what to do."""


class _Archive(Protocol):
    def files(self) -> list[str]:
        """Names of the files in it."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """What a name holds."""
        ...


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack into `folder`/NAME, where NAME tells archives apart; returns that folder, at once if it is there already.

    BadArchive if the file is damaged, half downloaded, or would write outside.
    """
    status = archive.stat()
    target = folder / f"{archive.name}-{status.st_size}-{status.st_mtime_ns}"
    if target.is_dir():
        return target
    partial = make_folder(folder) / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _opened(archive) as content:
            names = content.files()
            for name in names:
                _check_inside(archive, name)
            for name in names:
                _write(content, name, partial / name)
        if not names:
            raise BadArchive(f"{archive} is empty; fetch it again")
        partial.rename(target)
    except RuntimeError as error:  # what zipfile says of passwords and of kinds of compression that it lacks
        raise BadArchive(f"{archive} cannot be unpacked here ({error}); unpack it yourself, name the folder") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # no room, no permission: not the archive's fault
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise BadArchive(
            f"{archive} cannot be unpacked ({reason}): it is damaged or only half downloaded; fetch it again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _check_inside(archive: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise BadArchive(f"{archive} would write outside of its folder ({name!r}); it is not the published archive")


def _write(content: _Archive, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with content.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK)


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            yield _Zip(path, archive)
    else:
        with tarfile.open(path, tarinfo=_Member) as tar:
            yield _Tar(path, tar)


class _Zip:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.archive = archive

    def files(self) -> list[str]:
        found = [entry for entry in self.archive.infolist() if not entry.is_dir() and not _is_litter(entry.filename)]
        for entry in found:
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise BadArchive(f"{self.path} holds a link ({entry.filename!r}), which a published archive does not")
        return [entry.filename for entry in found]

    def open(self, name: str) -> IO[bytes]:
        return self.archive.open(name)


class _Member(tarfile.TarInfo):
    """A damaged or missing header is an error; tarfile itself takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the true end, which the stubs do not know
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


class _Tar:
    def __init__(self, path: Path, archive: tarfile.TarFile) -> None:
        self.path = path
        self.archive = archive
        self.members = {m.name: m for m in archive if not m.isdir() and not _is_litter(m.name)}
        while archive.fileobj.read(BLOCK):  # a stream's checksum is at its end
            pass

    def files(self) -> list[str]:
        for name, member in self.members.items():
            if not (member.isfile() or member.issym() or member.islnk()):
                raise BadArchive(f"{self.path} holds a device ({name!r}), which a published archive does not")
        return list(self.members)

    def open(self, name: str) -> IO[bytes]:
        try:
            source = self.archive.extractfile(self.members[name])
        except (KeyError, RecursionError):  # to a name that is not there, to itself
            source = None
        if source is None:
            raise BadArchive(f"{self.path} holds a link that leads out of it or nowhere ({name!r})")
        return source


def _is_litter(name: str) -> bool:
    """What macOS adds to archives."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and parts[-1].startswith("._"))
