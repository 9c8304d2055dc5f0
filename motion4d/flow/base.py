"""The contract of a flow estimator: a clip's frames -> Flow, both directions, each frame encoded once."""

from __future__ import annotations

from typing import Protocol

from motion4d.clip import Clip, Flow


class FlowEstimator(Protocol):
    """Anything that turns a clip into flow. `in_workers`: cheap, stateless and CPU only, so data workers may run it."""

    in_workers: bool

    def __call__(self, clip: Clip) -> Flow:
        """Forward and backward flow [B, N-1, 2, H, W] between neighbouring frames, in pixels of clip.images.

        A clip of one frame gives flows with N-1 = 0.
        """
        ...
