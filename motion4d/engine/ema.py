"""Exponential moving average of the trainable weights: evaluated and published instead of the last iterate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """shadow = d * shadow + (1 - d) * weight after each step, with d = min(decay, (1 + step) / (10 + step)).

    The bound lets the average forget the random start of a short training.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the decay of the moving average must lie in [0, 1), but it is {decay}")
        self.decay = decay
        self.shadow: dict[str, Tensor] = {}

    def start(self, model: nn.Module) -> None:
        """Copy the trainable weights of `model`."""
        self.shadow = {name: p.detach().clone() for name, p in _trainable(model)}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step `step` (1 for the first)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, parameter in _trainable(model):
            self.shadow[name].lerp_(parameter, 1 - decay)

    def load(self, shadow: dict[str, Tensor]) -> None:
        """Take the averages of a checkpoint; a ValueError if they are those of another model."""
        if shadow.keys() != self.shadow.keys():
            names = sorted(shadow.keys() ^ self.shadow.keys())
            raise ValueError(f"the moving average of the checkpoint is of another model ({', '.join(names[:3])} ...)")
        for name, value in shadow.items():
            self.shadow[name].copy_(value)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Within the block `model` has the averaged weights."""
        kept = {name: p.detach().clone() for name, p in _trainable(model)}
        self._write(model, self.shadow)
        try:
            yield
        finally:
            self._write(model, kept)

    @torch.no_grad()
    def _write(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        for name, parameter in _trainable(model):
            parameter.copy_(weights[name])


def _trainable(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)
