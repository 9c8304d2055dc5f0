"""What a row of eval.speed is: forms of the same work, the plain one first; and what rows share.

A form is a function Setting -> work, where work() is what is timed. Networks are filled with random numbers, since time
does not depend on weights; every form sets up in a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from motion4d.clip import Clip, Flow

Work = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """The work's size."""

    frames: int = 8
    height: int = 224
    width: int = 224
    threads: int = 2


@dataclass(frozen=True)
class Row:
    """Forms of the same work, the one to compare with first; full_size: needs 4 GB or more."""

    forms: Mapping[str, Callable[[Setting], Work]]
    full_size: bool = False


def calibrate(setting: Setting) -> float:
    """GFLOP/s of a float32 matrix product of side 1024: a yardstick for this machine in this minute."""
    torch.set_num_threads(setting.threads)
    matrix = torch.rand(1024, 1024)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


def random_clip(setting: Setting) -> Clip:
    """Noise frames [1, N, 3, H, W]."""
    generator = torch.Generator().manual_seed(0)
    return Clip(torch.rand(1, setting.frames, 3, setting.height, setting.width, generator=generator))


def random_flow(setting: Setting) -> Flow:
    """Noise flow of a few pixels, both directions."""
    generator = torch.Generator().manual_seed(1)
    shape = (1, setting.frames - 1, 2, setting.height, setting.width)
    return Flow(4 * torch.randn(shape, generator=generator), 4 * torch.randn(shape, generator=generator))


def filled(build: Callable[[], nn.Module]) -> Any:
    """Build on the meta device and fill with small numbers: quick even for a billion parameters."""
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu").eval().requires_grad_(False)
    for tensor in [*network.parameters(), *network.buffers()]:
        tensor.uniform_(0.5, 1.5) if tensor.ndim <= 1 else tensor.normal_(0, 0.02)
    return network
