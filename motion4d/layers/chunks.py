"""Running a per-frame function over many frames in parts, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_chunks(function: Callable[..., Tensor], *frames: Tensor, at_once: int | None) -> Tensor:
    """`function` of tensors [M, ...] -> [M, ...], with at most `at_once` of the M frames together (None: all)."""
    if at_once is None or len(frames[0]) <= at_once:
        return function(*frames)
    parts = zip(*(tensor.split(at_once) for tensor in frames), strict=True)
    return torch.cat([function(*part) for part in parts])
