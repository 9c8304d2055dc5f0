"""python -m prepare.weights against a real HTTP server on the loopback interface."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from prepare import weights
from prepare.download import DownloadError, download, partial_path
from prepare.published import FILES, Published
from tests.prepare.loopback import Server, serving

FREE = {
    "raft",
    "raft_sintel",
    "raft_small",
    "sea_raft",
    "sea_raft_small",
    "gmflow",
    "gmflow_scale2",
    "unimatch",
    "sam2_tiny",
    "sam2_small",
    "sam2_base_plus",
    "sam2_large",
}  # no non-commercial clause
SAFETENSORS = save({"a": np.arange(50_000, dtype=np.float32)})


def _torch_like() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", np.random.default_rng(0).bytes(100_000))
    return buffer.getvalue()


TORCH = _torch_like()


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server with one safetensors and one torch file."""
    files = {
        "/model.safetensors": SAFETENSORS,
        f"/net-{_digest(TORCH)[:8]}.pth": TORCH,
        "/bad-00000000.pth": TORCH,
    }
    with serving(files) as running:
        yield running


@pytest.fixture
def files(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, Published]:
    """The table of published files, pointing at the server."""
    table = {
        "net": Published(
            "net", "Net", f"{server.url}/net-{_digest(TORCH)[:8]}.pth", "1 MB", "BSD.", _digest(TORCH)[:8]
        ),
        "bad": Published("bad", "Bad", f"{server.url}/bad-00000000.pth", "1 MB", "BSD.", "00000000"),
        "hub": Published("hub", "Hub", f"{server.url}/hub/model.safetensors", "1 MB", "for non-commercial use only."),
        "gone": Published("gone", "Gone", f"{server.url}/gone.pth", "1 MB", "BSD."),
    }
    monkeypatch.setattr(weights, "FILES", table)
    return table


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _run(root: Path, *arguments: str) -> int:
    return weights.main([*arguments, "--root", str(root)])


def test_fetches_checks_and_names_the_licence(
    files: dict[str, Published], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.linked_etag = _digest(SAFETENSORS)
    assert _run(tmp_path, "net", "hub") == 0
    assert files["net"].path(tmp_path).read_bytes() == TORCH
    assert (tmp_path / "hub" / "model.safetensors").read_bytes() == SAFETENSORS
    assert not list(tmp_path.rglob("*.part"))
    output = capsys.readouterr().out
    assert "for non-commercial use only" in output
    assert "100 %" in output
    assert _run(tmp_path, "net", "hub") == 0
    assert len(server.ranges) == 2  # nothing was fetched again
    assert _run(tmp_path, "net", "--check") == 0


def test_a_broken_connection_is_taken_up_again(files: dict[str, Published], server: Server, tmp_path: Path) -> None:
    server.break_at = [30_000, 20_000]
    assert _run(tmp_path, "net") == 0
    assert server.ranges == [None, "bytes=30000-", "bytes=50000-"]
    assert files["net"].path(tmp_path).read_bytes() == TORCH


def test_a_later_run_goes_on_where_the_first_stopped(
    files: dict[str, Published], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.break_at = [40_000, 0]
    assert _run(tmp_path, "net") == 1
    assert "broke off at 40000 of" in capsys.readouterr().err
    assert not files["net"].path(tmp_path).exists()
    assert partial_path(files["net"].path(tmp_path)).stat().st_size == 40_000
    assert _run(tmp_path, "net") == 0
    assert server.ranges[-1] == "bytes=40000-"


def test_a_server_without_ranges_starts_anew(files: dict[str, Published], server: Server, tmp_path: Path) -> None:
    server.honours_range = False
    partial = partial_path(files["net"].path(tmp_path))
    partial.parent.mkdir()
    partial.write_bytes(b"x" * 1000)
    assert _run(tmp_path, "net") == 0


def test_a_complete_part_needs_no_further_bytes(files: dict[str, Published], server: Server, tmp_path: Path) -> None:
    partial = partial_path(files["net"].path(tmp_path))
    partial.parent.mkdir()
    partial.write_bytes(TORCH)
    assert _run(tmp_path, "net") == 0


def test_a_wrong_checksum_leaves_nothing(
    files: dict[str, Published], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.linked_etag = "0" * 64
    assert _run(tmp_path, "bad", "hub") == 1
    error = capsys.readouterr().err
    assert "is not the published bad-00000000.pth: its SHA-256 is" in error
    assert "is not the published model.safetensors" in error
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_one_missing_file_does_not_stop_the_others(
    files: dict[str, Published], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "gone", "net") == 1
    assert "gone: 127.0.0.1 answers 404 Not Found for http://127.0.0.1" in capsys.readouterr().err
    assert files["net"].path(tmp_path).exists()


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.pth"
        with pytest.raises(
            DownloadError, match=r"^cannot reach 127.0.0.1 \(Connection refused\); without network, bring"
        ):
            download(url, tmp_path / "a.pth", progress=lambda done, total: None)


def test_an_answer_that_is_no_http_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 ready\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/a.pth"
        with pytest.raises(DownloadError, match=r"^cannot reach 127.0.0.1 \(220 ready"):
            download(url, tmp_path / "a.pth", progress=lambda done, total: None)
        thread.join()


def test_from_copies_a_good_file(
    files: dict[str, Published], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.pth").write_bytes(TORCH)
    assert _run(tmp_path / "root", "net", "--from", str(tmp_path / "mine.pth")) == 0
    assert files["net"].path(tmp_path / "root").read_bytes() == TORCH
    assert _run(tmp_path / "root", "net", "--from", str(files["net"].path(tmp_path / "root"))) == 0
    assert _run(tmp_path / "root", "bad", "--from", str(tmp_path / "mine.pth")) == 1
    assert _run(tmp_path / "root", "net", "--from", str(tmp_path / "nothing.pth")) == 1
    assert "there is no file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["net", "hub"])
def test_a_truncated_file_is_refused(
    files: dict[str, Published], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = TORCH if name == "net" else SAFETENSORS
    for size in (0, 5, 1000, len(content) - 1):
        (tmp_path / "mine").write_bytes(content[:size])
        assert _run(tmp_path / "root", name, "--from", str(tmp_path / "mine")) == 1
        assert "is not a complete" in capsys.readouterr().err
    target = files[name].path(tmp_path / "root")
    target.parent.mkdir(parents=True)
    target.write_bytes(content[:100])
    assert _run(tmp_path / "root", name) == 1
    assert "remove it to fetch it again" in capsys.readouterr().err


@pytest.mark.parametrize("header", [[1], {"a": 1}, {"a": {}}, {"a": {"data_offsets": [0]}}])
def test_a_header_of_another_kind_is_refused(
    files: dict[str, Published], tmp_path: Path, header: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(header).encode()
    (tmp_path / "mine").write_bytes(struct.pack("<Q", len(text)) + text)
    assert _run(tmp_path / "root", "hub", "--from", str(tmp_path / "mine")) == 1
    assert "is not a complete safetensors file" in capsys.readouterr().err


def test_check_fetches_nothing(
    files: dict[str, Published], server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "net", "--check") == 1
    assert "run: python -m prepare.weights net" in capsys.readouterr().err
    assert not server.ranges


def test_the_command_line_explains_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "--list") == 0
    listing = capsys.readouterr().out
    assert all(published.url in listing and published.licence in listing for published in FILES.values())
    for arguments in (["pi4"], [], ["pi3", "raft", "--from", "a"]):
        with pytest.raises(SystemExit):
            _run(tmp_path, *arguments)
    assert f"unknown: pi4; there are {', '.join(FILES)} (" in capsys.readouterr().err


def test_published_names_carry_their_checksums() -> None:
    for published in FILES.values():
        assert published.sha256_start in published.file_name
        assert "non-commercial" in published.licence or published.name in FREE
