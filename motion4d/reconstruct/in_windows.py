"""Any optimiser of an alignment in overlapping windows of frames: for clips whose pairs are too many at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.reconstruct.observations import Observations
from motion4d.reconstruct.optimise import Frozen, Optimiser
from motion4d.reconstruct.state import AlignmentState
from motion4d.reconstruct.windows import window_plan


@dataclass(frozen=True)
class InWindows:
    """Overlapping windows of frames, one after the other: the overlap stays as the window before has left it.

    Focal lengths are free in the first window, and in all of them if every frame has its own. Frozen frames fix the
    scale of every window but the first, so only there is the pairs' mean scale held. Pairs that the window before has
    optimised go on from there. size, overlap: frames; a clip that is shorter is one window.
    """

    optimise: Optimiser
    size: int = 100
    overlap: int = 50

    def __post_init__(self) -> None:
        window_plan(1, self.size, self.overlap)

    @property
    def needs_flow(self) -> bool:
        """Whether `seen.flow` is read."""
        return self.optimise.needs_flow

    def __call__(
        self, seen: Observations, start: AlignmentState, held: Frozen | None = None
    ) -> tuple[AlignmentState, dict[str, float]]:
        """The state after all windows; values are those of the last one."""
        state = start.copy()
        state.pair_poses[:, 7], state.mean_log_scale = state.log_scales(), None
        for window in window_plan(seen.frames, self.size, self.overlap):
            part, chosen = _window(seen, window.frames)
            local = state.window(window.frames, chosen)
            first = window.free == window.start
            still = torch.arange(window.start, window.stop, device=local.poses.device) < window.free
            focals, depth = not first and len(state.focals) == 1, True
            if held is not None:
                still, focals, depth = (
                    still | held.frames[window.frames],
                    focals or held.focals,
                    held.depth or not first,
                )
            if first and not bool(still.any()):
                local.mean_log_scale = float(local.log_scales().mean())
            local, losses = self.optimise(part, local, Frozen(still, focals, depth))
            state.log_depth[window.frames], state.poses[window.frames] = local.log_depth, local.poses
            if len(state.focals) == 1:
                state.focals = local.focals
            else:
                state.focals[window.frames] = local.focals
            state.pair_poses[chosen] = torch.cat((local.pair_poses[:, :7], local.log_scales()[:, None]), 1)
        return state, losses


def _window(seen: Observations, frames: slice) -> tuple[Observations, Tensor]:
    """What is seen of some frames alone, and which of the pairs that are [E] bool."""

    def within(pair: tuple[int, int]) -> bool:
        return all(frames.start <= frame < frames.stop for frame in pair)

    def shifted(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((i - frames.start, j - frames.start) for i, j in pairs if within((i, j)))

    device = seen.maps.confidence_first.device
    chosen = torch.tensor([within(pair) for pair in seen.pairs], device=device)
    fields = torch.tensor([within(pair) for pair in seen.flow_pairs], dtype=torch.bool, device=device)
    part = Observations(
        frames.stop - frames.start,
        shifted(seen.pairs),
        seen.maps._map(lambda tensor: tensor[chosen]),
        seen.principal_point,
        None if seen.flow is None else seen.flow[fields],
        shifted(seen.flow_pairs),
        None if seen.moving is None else seen.moving[frames],
    )
    return part, chosen
