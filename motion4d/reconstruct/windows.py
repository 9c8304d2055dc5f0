"""Aligning a long clip in overlapping windows of frames: the overlap stays as the window before has left it.

Frozen frames fix the scale of every window but the first, so only there is the pairs' mean scale held. Pairs that the
window before has optimised go on from there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from motion4d.reconstruct.objective import Objective
from motion4d.reconstruct.optimise import Descent, Frozen, History, descend
from motion4d.reconstruct.state import AlignmentState


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


def descend_in_windows(
    objective: Objective, start: AlignmentState, plan: list[Window], descent: Descent = Descent()
) -> tuple[AlignmentState, list[History]]:
    """The state after all windows, each with the full number of iterations; needs one focal length for all frames.

    The focal length is optimised in the first window. Memory beyond the pairs is that of one window.
    """
    if len(start.focals) != 1:
        raise ValueError("windows share one focal length, but this state has one per frame")
    state, histories = start.copy(), []
    state.pair_poses[:, 7] = state.log_scales()
    state.mean_log_scale = None
    for window in plan:
        part, pairs = objective.window(window.frames)
        local = state.window(window.frames, pairs)
        first = window.free == window.start
        if first:
            local.mean_log_scale = float(local.log_scales().mean())
        held = torch.arange(window.start, window.stop, device=local.poses.device) < window.free
        local, history = descend(part, local, descent, Frozen(held, focals=not first))
        histories.append(history)
        state.log_depth[window.frames] = local.log_depth
        state.poses[window.frames] = local.poses
        state.focals = local.focals
        state.pair_poses[pairs] = local.pair_poses
        state.pair_poses[pairs, 7] = local.log_scales()
    return state, histories
