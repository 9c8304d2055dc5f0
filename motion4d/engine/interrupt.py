"""Signals that end a run: Ctrl-C and termination, and the one by which a cluster takes a job's machine away.

In a training the current step is finished and saved, then the run ends. A job of submitit gets a signal before its time
is up or when it is preempted; submitit's own answer puts the job back into the queue, and it is given once what has to
be saved is saved. SIGTERM, which slurm sends beside it, is then left to submitit, which ignores it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn


class Interrupt:
    """Whether the run was asked to stop; a second Ctrl-C stops it at once."""

    def __init__(self) -> None:
        self.is_set = False
        self._number: int | None = None
        self._kept: dict[int, Any] = {}

    @contextmanager
    def listening(self) -> Iterator[Interrupt]:
        """Within the block SIGINT and SIGTERM (or submitit's signal) set the flag. Only in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGINT, requeue_signal() or signal.SIGTERM)
        self._kept = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in self._kept.items():
                signal.signal(number, handler)

    def leave(self) -> NoReturn:
        """End the run now that all is saved: a job goes back into the queue, anything else is a KeyboardInterrupt."""
        if self._number is not None and self._number == requeue_signal():
            _answer(self._number, self._kept[self._number])
        raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_set and number != requeue_signal():
            raise KeyboardInterrupt
        self.is_set = True
        self._number = number


@contextmanager
def requeued_after_ranks() -> Iterator[None]:
    """Where ranks are started: they hear of submitit's signal and end first, then the job goes back into the queue."""
    number = requeue_signal()
    if number is None:
        yield
        return
    came: list[int] = []

    def pass_on(*_: Any) -> None:
        came.append(number)
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, number)

    kept = signal.signal(number, pass_on)
    try:
        yield
    finally:
        signal.signal(number, kept)
        if came:
            _answer(number, kept)


def stop_on_requeue() -> None:
    """In a rank: submitit's signal ends it; it is the process that started the ranks that answers submitit."""
    number = requeue_signal()
    if number is not None:
        signal.signal(number, _stop)


def requeue_signal() -> signal.Signals | None:
    """The signal that submitit gives its jobs before it takes their machine away; None outside of such a job."""
    if "SUBMITIT_EXECUTOR" not in os.environ:
        return None
    from submitit import JobEnvironment

    return signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]


def ignore_interrupts(*_: Any) -> None:
    """For data workers: Ctrl-C reaches the whole process group, but only the rank decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    number = requeue_signal()
    if number is not None:
        signal.signal(number, signal.SIG_IGN)


def _answer(number: int, handler: Any) -> None:
    """Submitit's own handler, which does not return if the job was put back into the queue."""
    if callable(handler):
        handler(number, None)


def _stop(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
