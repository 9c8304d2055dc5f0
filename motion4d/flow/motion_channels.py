"""Flow between frames as further channels of a network's images, for small networks, which hardly learn to match."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from motion4d.clip import Clip, Flow

_UNIT = 0.05  # of the image's width: the flow that counts as 1


class MotionChannels:
    """Images [B, N, 3, H, W] in [0, 1] -> flow to the next, the previous and the first frame [B, N, 6, H, W].

    estimator: a flow estimator (motion4d.flow.base); it gets no gradient. 1 is a twentieth of the width; 0 where there
    is no such frame.
    """

    channels = 6

    def __init__(self, estimator: Callable[[Clip], Flow]) -> None:
        self.estimator = estimator

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """See the class."""
        batch, frames, _, height, width = images.shape
        both = images.new_zeros(batch, frames, self.channels, height, width)
        if frames > 1:
            both[:, :-1, 0:2], both[:, 1:, 2:4] = self._both(images)
            # the first frame beside each other one: pairs as a batch of clips
            later = images[:, 1:].flatten(0, 1)
            first = images[:, :1].expand(-1, frames - 1, -1, -1, -1).flatten(0, 1)
            to_first, _ = self._both(torch.stack((later, first), dim=1))
            both[:, 1:, 4:6] = to_first.view(batch, frames - 1, 2, height, width)
        return both / (_UNIT * width)

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flow = self.estimator(Clip(images))
        assert flow.backward is not None
        return flow.forward, flow.backward
