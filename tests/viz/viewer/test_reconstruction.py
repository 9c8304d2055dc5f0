"""The child process that reconstructs: its words, its progress, its errors; and the viewer's own command line."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from motion4d.viz.viewer.__main__ import main
from motion4d.viz.viewer.reconstruction import EXPERIMENTS, Reconstruction, Request
from tests.viz.viewer.runs import make_run

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["clip.mp4", "my clip, take=2 (a).mp4", "it's.mp4", "back\\slash.mp4", "end\\"])
def test_any_file_name_reaches_the_child(tmp_path: Path, name: str) -> None:
    words = Request(str(tmp_path / name), 100, 12).command(Path("out"))
    assert words[1:4] == ["launch.py", "+experiment=monst3r", "task=reconstruct"]
    overrides = {one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(words[3:])}
    assert str(overrides["input"]) == str(tmp_path / name)
    assert (overrides["max_frames"], overrides["window.length"], overrides["window.overlap"]) == (100, 12, 6)


def test_the_experiments_exist() -> None:
    assert all((ROOT / "conf" / "experiment" / f"{name}.yaml").is_file() for name in EXPERIMENTS)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request("", 1, 2), "give a video"),
        (Request("/nowhere", 1, 2), "/nowhere does not exist"),
        (Request("/", 0, 2), "at least one frame"),
        (Request("/", 1, 1), "windows of at least two"),
        (Request("/", 1, 2, "geomotion"), "the experiment must be one of"),
    ],
)
def test_what_cannot_work_is_said_before(request_: Request, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        request_.check()


def child(code: str, output: Path) -> Reconstruction:
    return Reconstruction([sys.executable, "-u", "-c", code], output)


def test_progress_and_the_end(tmp_path: Path) -> None:
    done = child("print('clip: 1/4 frames, 2 per second')", tmp_path)
    assert done.error() is None
    assert done.progress == (0.25, "clip: 1/4 frames, 2 per second")
    (tmp_path / "status.json").write_text('{"error": "no such clip"}')
    assert child("raise SystemExit(1)", tmp_path).error() == "no such clip"
    (tmp_path / "status.json").unlink()
    assert "exit code 7" in str(child("raise SystemExit(7)", tmp_path).error())


def test_a_child_can_be_stopped(tmp_path: Path) -> None:
    running = child("import time\ntime.sleep(60)", tmp_path)
    time.sleep(0.3)
    running.stop()
    assert not running.is_running
    assert running.error() == "the reconstruction was stopped"


def test_the_command_line_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert main([str(make_run(tmp_path / "run", 1)), "--port", "70000"]) == 1
    assert "cannot listen on 127.0.0.1 port 70000" in capsys.readouterr().err
    for name in [name for name in sys.modules if name.startswith(("viser", "motion4d.viz.viewer.page"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "motion4d.viz.viewer.reconstruct_panel", raising=False)
    monkeypatch.setitem(sys.modules, "viser", None)
    assert main([str(tmp_path)]) == 1
    assert ".[viewer]" in capsys.readouterr().err
