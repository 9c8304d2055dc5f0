"""Clips whose far parts count as unknown: a horizon, or the sky, would set the scale of its scene."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.data.sampling import Clips


class Near:
    """The clips of another dataset; what is farther than `max_depth` is not valid in them."""

    def __init__(self, clips: Clips, max_depth: float) -> None:
        self.clips = clips
        self.max_depth = max_depth

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One clip."""
        clip = self.clips[index]
        return replace(clip, valid=valid_within(clip, self.max_depth))


def valid_within(clip: Clip, max_depth: float | None) -> Tensor:
    """`clip.valid` [B, N, H, W] without what is farther than `max_depth`; a ValueError for a clip without depth."""
    if clip.depth is None:
        raise ValueError("a clip without depth has nothing near or far")
    valid = torch.ones_like(clip.depth, dtype=torch.bool) if clip.valid is None else clip.valid
    return valid if max_depth is None else valid & (clip.depth <= max_depth)
