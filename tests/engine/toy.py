"""Models that are simple enough to know the answer."""

from __future__ import annotations

import torch

from motion4d.clip import Clip, Motion
from motion4d.framing import Native


class Brightness:
    """Per frame: the logit is 8 (red - 1/2); remembers the windows that it saw."""

    def __init__(self, framing=None) -> None:
        self.framing = framing or Native()
        self.seen: list[int] = []

    def __call__(self, clip: Clip) -> Motion:
        self.seen.append(clip.num_frames)
        return Motion(8 * (clip.images[:, :, 0] - 0.5))


class Stems(Brightness):
    """Brightness that remembers the stems of the frames that it saw, window by window."""

    def __init__(self, framing=None) -> None:
        super().__init__(framing)
        self.stems: list[tuple[str, ...]] = []

    def __call__(self, clip: Clip) -> Motion:
        self.stems.append(clip.sources[0].frames)
        return super().__call__(clip)


class PerWindow:
    """The k-th call says k everywhere: shows how windows are blended."""

    framing = Native()

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, clip: Clip) -> Motion:
        self.calls += 1
        return Motion(torch.full(clip.images.shape[:2] + clip.size, float(self.calls)))


class FlowMagnitude:
    """Needs two frames, and says how large the clip's estimated flow is (last frame: the flow before it)."""

    framing = Native()

    def __call__(self, clip: Clip) -> Motion:
        forward = clip.estimated_flow.forward.norm(dim=2)
        return Motion(torch.cat([forward, forward[:, -1:]], dim=1))
