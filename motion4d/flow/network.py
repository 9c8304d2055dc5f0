"""What the flow networks share: a clip becomes pairs of neighbouring frames, each frame encoded once, both directions
from one call, as many pairs at a time as memory allows; weights that are read at the first clip.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from motion4d.clip import Clip, Flow
from motion4d.flow.fitting import Fitting
from motion4d.flow.raft_weights import to_torchvision_layout
from motion4d.io.weights import load_strict, read_state_dict

State = TypeVar("State")

_CPU_LIMIT = 2**26  # bytes: on CPUs larger passes leave the caches, and get all their memory anew in every step


class FlowNetwork(nn.Module, ABC):
    """A flow estimator (motion4d.flow.base) that is a network. It is never trained here, only evaluated.

    least_side: pixels; smaller frames are refused. fitting: how frames of any size become sizes that the network takes.
    memory_limit: bytes that a chunk of pairs (and, roughly, the encoders) may take; slower and smaller forms are chosen
    beyond it; CPUs take less at a time. prepare: the name of the weights in prepare.weights, for messages.
    weights: a published file, read at the first clip (building never touches a file); None: the parameters stay what
    they are, random unless `load_weights` is called.
    """

    in_workers = False

    def __init__(
        self,
        *,
        least_side: int,
        fitting: Fitting,
        prepare: str,
        memory_limit: int = 2**29,
        weights: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.least_side = least_side
        self.fitting = fitting
        self.memory_limit = memory_limit
        self.prepare = prepare
        self._unread_weights = weights

    @abstractmethod
    def encode(self, images: Tensor) -> tuple[Tensor, ...]:
        """[M, 3, H, W] in [0, 1], a fitted size -> what is needed of single frames, each [M, ...]."""

    @abstractmethod
    def pair_bytes(self, height: int, width: int) -> int:
        """Memory that one pair of fitted frames takes in both directions, roughly."""

    @abstractmethod
    def both_ways(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
        """What `encode` said of P first and P second frames -> flow [2P, 2, H, W]: forward ones, then backward ones."""

    def freeze(self) -> None:
        """Evaluation mode and no gradients; to be called when all parts are there."""
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> FlowNetwork:
        """An estimator is never trained here: it stays in evaluation mode inside a model that is."""
        return super().train(False)

    def load_weights(self, path: str | Path) -> None:
        """Load a file in any published layout of this network, strictly."""
        load_strict(self, to_torchvision_layout(read_state_dict(path, prepare=self.prepare)), source=path)
        self._unread_weights = None

    @torch.no_grad()
    def forward(self, clip: Clip) -> Flow:
        """Forward and backward flow [B, N-1, 2, H, W] between neighbouring frames, in pixels of clip.images."""
        if self._unread_weights is not None:
            self.load_weights(self._unread_weights)
        images = self.fitting.images(clip.images.flatten(0, 1).float())
        height, width = images.shape[-2:]
        self._check_size(height, width)
        batch, frames = clip.images.shape[:2]
        index = torch.arange(batch * frames).view(batch, frames)
        first, second = index[:, :-1].flatten(), index[:, 1:].flatten()
        if not len(first):
            empty = clip.images.new_zeros(batch, 0, 2, *clip.size, dtype=torch.float32)
            return Flow(forward=empty, backward=empty.clone())
        parts = self.encode(images)
        size = self._at_a_time(self.pair_bytes(height, width), images)
        both = [
            self.both_ways([part[one] for part in parts], [part[two] for part in parts]).chunk(2)
            for one, two in zip(first.split(size), second.split(size), strict=True)
        ]
        forward, backward = (
            self.fitting.undo_flow(torch.cat(fields), clip.size).view(batch, frames - 1, 2, *clip.size)
            for fields in zip(*both, strict=True)
        )
        return Flow(forward=forward, backward=backward)

    def frame_chunks(self, images: Tensor) -> tuple[Tensor, ...]:
        """images [M, C, H, W], as many at a time as may go through an encoder of stem width 64."""
        return images.split(self._at_a_time(encoder_bytes(images.shape[-2], images.shape[-1]), images))

    def _at_a_time(self, size: int, images: Tensor) -> int:
        """How many things of `size` bytes go through the network together."""
        limit = self.memory_limit if images.device.type != "cpu" else min(self.memory_limit, _CPU_LIMIT)
        return max(1, limit // size)

    def _check_size(self, height: int, width: int) -> None:
        if min(height, width) < self.least_side:
            raise ValueError(
                f"{self.prepare} needs frames of at least {self.least_side}x{self.least_side} pixels, but these are "
                f"{height}x{width}; enlarge them or choose flow=dis"
            )


def encoder_bytes(height: int, width: int) -> int:
    """Memory of one frame inside an encoder: about four maps of 64 channels at half resolution."""
    return 256 * height * width


def last_of(states: Iterable[State]) -> State:
    """The last of a network's states; those before it do not stay in memory."""
    return deque(states, maxlen=1).pop()
