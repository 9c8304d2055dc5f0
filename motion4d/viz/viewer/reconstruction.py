"""A reconstruction in a child process, `launch.py task=reconstruct`: its command, its progress, and how it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import motion4d
from motion4d.io.files import read_json

ROOT = Path(motion4d.__file__).resolve().parents[1]  # of the checkout: launch.py and conf/ lie beside the package
EXPERIMENTS = ("monst3r", "page4d", "monst3r_paper", "page4d_paper")
_PROGRESS = re.compile(r"(\d+)/(\d+) frames")
_WAIT = 10.0  # seconds that a stopped child has to tidy up


@dataclass(frozen=True)
class Request:
    """What is to be reconstructed: a video or a folder of frames, its first `frames`, in windows of `window` frames."""

    input: str
    frames: int
    window: int
    experiment: str = EXPERIMENTS[0]

    def check(self) -> None:
        """A ValueError of one sentence about what cannot work, before anything is started."""
        if not self.input.strip():
            raise ValueError("give a video or a folder of frames that lies on the machine where the viewer runs")
        if not Path(self.input).expanduser().exists():
            raise ValueError(f"{self.input} does not exist on the machine where the viewer runs")
        if self.experiment not in EXPERIMENTS:
            raise ValueError(f"the experiment must be one of {', '.join(EXPERIMENTS)}, not {self.experiment}")
        if self.frames < 1 or self.window < 2:
            raise ValueError("a reconstruction needs at least one frame and windows of at least two")
        if not (ROOT / "launch.py").is_file():
            raise ValueError(f"{ROOT} has no launch.py: reconstructions are started from a checkout of the repository")

    def command(self, output: Path) -> list[str]:
        """The child's words."""
        path = str(Path(self.input).expanduser().resolve())
        return [
            *(sys.executable, "launch.py", f"+experiment={self.experiment}", "task=reconstruct"),
            *(f"input={_quoted(path)}", f"output={_quoted(str(output))}", f"max_frames={self.frames}"),
            *(f"window.length={self.window}", f"window.overlap={min(8, self.window // 2)}"),
        ]

    def new_output(self) -> Path:
        """A folder of its own below outputs/viewer/ of the checkout."""
        stem = re.sub(r"[^\w.-]+", "_", Path(self.input).expanduser().resolve().stem) or "clip"
        return ROOT / "outputs" / "viewer" / f"{stem}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"


class Reconstruction:
    """A child process; `output` is the folder that it fills. Its lines are read in a thread."""

    def __init__(self, command: list[str], output: Path) -> None:
        self.output = output
        self.began = time.monotonic()
        self._lines: deque[str] = deque(maxlen=50)
        self._share = 0.0
        self._stopped = False
        self._child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_running(self) -> bool:
        """Whether the child is still there."""
        return self._child.poll() is None

    @property
    def progress(self) -> tuple[float, str]:
        """Share that is done in [0, 1], as far as it says, and its last line."""
        return self._share, self._lines[-1] if self._lines else "starting"

    def error(self) -> str | None:
        """After the end: None if all is well, else one sentence."""
        code = self._child.wait()
        self._reader.join(_WAIT)
        if self._stopped:
            return "the reconstruction was stopped"
        if code == 0:
            return None
        said = _status_error(self.output) or next((line for line in reversed(self._lines) if line), "")
        return said.removeprefix("error: ") or f"the reconstruction ended with exit code {code} and said nothing"

    def stop(self) -> None:
        """End the child and what it started."""
        if not self.is_running:
            return
        self._stopped = True
        self._signal(signal.SIGINT)
        try:
            self._child.wait(_WAIT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            if line.strip():
                self._lines.append(" ".join(line.split()))
            if found := _PROGRESS.search(line):
                self._share = min(int(found[1]) / max(int(found[2]), 1), 1.0)


def _status_error(output: Path) -> str | None:
    path = output / "status.json"
    if not path.is_file():
        return None
    try:
        status = read_json(path)
    except ValueError:
        return None
    said = status.get("error") if isinstance(status, dict) else None
    return said if isinstance(said, str) and said else None


def _quoted(text: str) -> str:
    """As a value of Hydra's override grammar; `$` would begin an interpolation."""
    if "${" in text:
        raise ValueError(f"{text} contains ${{, which the command line would take for a variable; rename it")
    escaped = re.sub(r"\\+(?=')|\\+$", lambda found: found[0] * 2, text).replace("'", "\\'")
    return f"'{escaped}'"
