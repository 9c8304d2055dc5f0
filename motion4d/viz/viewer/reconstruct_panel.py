"""The part of the page that starts a reconstruction, says how far it is, and shows it when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import viser

from motion4d.viz.viewer.reconstruction import EXPERIMENTS, Reconstruction, Request

_EVERY = 0.5  # seconds between two looks at the child


class ReconstructPanel:
    """Controls `input`, `frames`, `window`, `experiment`, `start`, `stop`; `message` and `bar` say what happens.

    shown: is called with the finished run folder; a ValueError or OSError of it becomes the message.
    """

    def __init__(self, server: viser.ViserServer, shown: Callable[[Path], None]) -> None:
        self._shown = shown
        self._lock = threading.Lock()
        self._current: Reconstruction | None = None
        gui = server.gui
        with gui.add_folder("New reconstruction", expand_by_default=False):
            self.input = gui.add_text("Input", "", hint="Video or folder of frames, on the viewer's machine")
            self.frames = gui.add_number("Frames", 32, min=1, max=100_000, step=1, hint="The first so many")
            self.window = gui.add_number("Window", 32, min=2, max=1000, step=1, hint="Frames aligned at a time")
            self.experiment = gui.add_dropdown("Experiment", EXPERIMENTS, hint="..._paper needs published weights")
            self.start = gui.add_button("Start", icon=viser.Icon.PLAYER_PLAY)
            self.stop = gui.add_button("Stop", icon=viser.Icon.PLAYER_STOP, visible=False)
            self.bar = gui.add_progress_bar(0.0, visible=False)
            self.message = gui.add_markdown("")
        self.start.on_click(lambda _: self.begin())
        self.stop.on_click(lambda _: self.close())

    def begin(self) -> None:
        """Start what the controls say; a sentence in the page if that is not possible."""
        request = Request(self.input.value, int(self.frames.value), int(self.window.value), self.experiment.value)
        with self._lock:
            if self._current is not None and self._current.is_running:
                return
            try:
                request.check()
                output = request.new_output()
                self._current = Reconstruction(request.command(output), output)
            except (ValueError, OSError) as error:
                self._say(f"**Error:** {_plain(str(error))}")
                return
            self._busy(True)
            threading.Thread(target=self._follow, args=(self._current,), daemon=True).start()

    def close(self) -> None:
        """Stop the child, if one is running."""
        if self._current is not None:
            self._current.stop()

    def _follow(self, current: Reconstruction) -> None:
        while current.is_running:
            share, line = current.progress
            self.bar.value = 100.0 * share
            self._say(f"{time.monotonic() - current.began:.0f} s: {_plain(line)}")
            time.sleep(_EVERY)
        problem = current.error()
        if problem is None:
            self.bar.value = 100.0
            try:
                self._shown(current.output)
                self._say(f"done in {time.monotonic() - current.began:.0f} s: {_plain(str(current.output))}")
            except (ValueError, OSError) as error:
                problem = str(error)
        if problem is not None:
            self._say(f"**Error:** {_plain(problem)}")
        self._busy(False)

    def _busy(self, is_busy: bool) -> None:
        self.start.visible, self.stop.visible, self.bar.visible = not is_busy, is_busy, is_busy
        if is_busy:
            self.bar.value = 0.0

    def _say(self, text: str) -> None:
        if self.message.content != text:
            self.message.content = text


def _plain(text: str) -> str:
    """Text that markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#!|~$" else sign for sign in " ".join(text.split()))
