"""Where the time of a task goes, and a log line now and then that says how much is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_log = logging.getLogger(__name__)
_Item = TypeVar("_Item")


class Stopwatch:
    """Adds up seconds per named stage; a stage that begins inside another interrupts the outer one."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside the block towards `name`."""
        self._switch()
        self._open.append(name)
        try:
            yield
        finally:
            self._switch()
            self._open.pop()

    def each(self, name: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Pass `items` on; the time that making them takes counts towards `name`."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def seconds(self) -> dict[str, float]:
        """Stage -> seconds, to the millisecond; "total" since the stopwatch was made."""
        total = time.perf_counter() - self._start
        return {name: round(value, 3) for name, value in [*self._seconds.items(), ("total", total)]}

    def _switch(self) -> None:
        """Credit what has passed since the last switch to the innermost open stage."""
        now = time.perf_counter()
        if self._open:
            self._seconds[self._open[-1]] = self._seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


def log_progress(items: Iterable[_Item], name: str, total: int | None, *, every: float = 10.0) -> Iterator[_Item]:
    """Pass `items` on, with a log line at most every `every` seconds: how many, how fast, how long to go."""
    start = last = time.perf_counter()
    for count, item in enumerate(items, 1):
        yield item
        now = time.perf_counter()
        if now - last >= every:
            last = now
            rate = count / (now - start)
            of, left = ("", "") if total is None else (f"/{total}", f", {_clock((total - count) / rate)} left")
            _log.info("%s: %d%s frames, %.2f per second%s", name, count, of, rate, left)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
