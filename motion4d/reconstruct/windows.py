"""Which overlapping windows of frames a long clip is aligned in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Frames start..stop-1, of which those from `free` on are optimised."""

    start: int
    free: int
    stop: int

    @property
    def frames(self) -> slice:
        """All of them."""
        return slice(self.start, self.stop)


def window_plan(frames: int, size: int, overlap: int) -> list[Window]:
    """Windows of `size` frames, `overlap` of which they share with the one before; every frame is free exactly once.

    The last window ends with the clip, and so may overlap more. A clip that is shorter than a window is one window.
    """
    if not 0 < overlap < size:
        raise ValueError(
            f"windows of {size} frames cannot overlap by {overlap}; choose an overlap from 1 to {size - 1}"
        )
    starts = list(range(0, max(frames - size, 0) + 1, size - overlap))
    if starts[-1] + size < frames:
        starts.append(frames - size)
    windows, done = [], 0
    for start in starts:
        stop = min(start + size, frames)
        windows.append(Window(start, done, stop))
        done = stop
    return windows
