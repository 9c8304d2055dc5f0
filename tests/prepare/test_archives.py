"""Unpacking: what is inside stays inside, half of an archive is none."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from prepare.archives import BadArchive, is_archive, unpack

FILES = {"top/a.txt": b"a" * 5000, "top/inner/b.txt": bytes(range(256)) * 40}
SUFFIXES = ("zip", "tar", "tar.gz")


def make_archive(path: Path, files: dict[str, bytes]) -> Path:
    """A zip or tar archive of these files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unpacks_once(tmp_path: Path, suffix: str) -> None:
    archive = make_archive(tmp_path / f"data.{suffix}", {**FILES, "__MACOSX/top/._a.txt": b"x"})
    assert is_archive(archive)
    folder = unpack(archive, tmp_path / "out")
    assert contents(folder) == FILES
    (folder / "top" / "a.txt").write_bytes(b"mine")
    assert unpack(archive, tmp_path / "out") == folder
    assert (folder / "top" / "a.txt").read_bytes() == b"mine"  # not unpacked again


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["../evil.txt", "top/../../evil.txt", "/evil.txt", "C:/evil.txt", "..\\evil.txt", "."])
def test_nothing_is_written_outside(tmp_path: Path, suffix: str, name: str) -> None:
    archive = make_archive(tmp_path / f"data.{suffix}", {"good.txt": b"1", name: b"2"})
    with pytest.raises(BadArchive, match="would write outside of its folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert set(contents(tmp_path)) == {archive.name}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_an_archive_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    archive = make_archive(tmp_path / f"data.{suffix}", FILES)
    content = archive.read_bytes()
    for size in (len(content) // 2, 100, 0):
        archive.write_bytes(content[:size])
        with pytest.raises(BadArchive, match=r"only half downloaded; fetch it again|is empty"):
            unpack(archive, tmp_path / "out")
    archive.write_bytes(content)  # fetched again
    assert contents(unpack(archive, tmp_path / "out")) == FILES
    assert not list((tmp_path / "out").glob(".*"))


def test_an_interrupted_run_starts_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_archive(tmp_path / "data.zip", FILES)

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("prepare.archives.shutil.copyfileobj", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, tmp_path / "out")
    assert contents(unpack(archive, tmp_path / "out")) == FILES


@pytest.mark.parametrize(
    ("kind", "target", "fits"),
    [
        (tarfile.SYMTYPE, "a.txt", True),
        (tarfile.LNKTYPE, "top/a.txt", True),
        (tarfile.SYMTYPE, "../../secret", False),
        (tarfile.SYMTYPE, "/etc/hostname", False),
        (tarfile.LNKTYPE, "../secret", False),
        (tarfile.SYMTYPE, "link", False),
    ],
)
def test_links_become_copies_or_are_refused(tmp_path: Path, kind: bytes, target: str, fits: bool) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    archive = make_archive(tmp_path / "data.tar", FILES)
    with tarfile.open(archive, "a") as tar:
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = kind, target
        tar.addfile(link)
    if fits:
        folder = unpack(archive, tmp_path / "out")
        assert (folder / "top" / "link").read_bytes() == FILES["top/a.txt"]
        assert not (folder / "top" / "link").is_symlink()
    else:
        with pytest.raises(BadArchive, match="holds a link that leads out of it or nowhere"):
            unpack(archive, tmp_path / "out")


def tar_of(count: int) -> bytes:
    """A tar of so many files of random bytes; the header of file k is at k * 20992."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.bin")
            member.size = 20_480
            tar.addfile(member, io.BytesIO(np.random.default_rng(number).bytes(member.size)))
    return buffer.getvalue()


@pytest.mark.parametrize("damage", ["a header", "the checksum", "the end"])
def test_a_damaged_tar_is_not_taken_for_a_shorter_one(tmp_path: Path, damage: str) -> None:
    content = bytearray(tar_of(3))
    if damage == "a header":
        content[2 * 20_992 : 2 * 20_992 + 20] = b"\xff" * 20
    packed = bytearray(gzip.compress(content, 1))
    if damage == "the checksum":
        packed[-8] ^= 1
    archive = tmp_path / ("data.tar" if damage == "the end" else "data.tar.gz")
    archive.write_bytes(content[: 2 * 20_992] if damage == "the end" else packed)
    with pytest.raises(BadArchive, match="damaged or only half downloaded"):
        unpack(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_zip_cannot_do_here_is_one_sentence(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "data.zip", FILES)
    whole = archive.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    for local, central, value in ((6, 8, 1), (8, 10, 9)):  # encrypted; a kind of compression that zipfile lacks
        content = bytearray(whole)
        struct.pack_into("<H", content, local, value)
        struct.pack_into("<H", content, directory + central, value)
        archive.write_bytes(content)
        with pytest.raises(BadArchive, match="unpack it yourself"):
            unpack(archive, tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_not_the_archives_fault(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "data.tar", {"a": b"1", "a/b": b"2"})
    with pytest.raises(OSError, match="File exists"):
        unpack(archive, tmp_path / "out")
