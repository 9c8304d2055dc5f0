"""Clips with estimated flow, computed by the data workers: for estimators that are cheap and need no device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from motion4d.clip import Clip, Flow
from motion4d.data.sampling import BatchShape, Clips, shaped_clip


class WithFlow:
    """The clips of another dataset with `estimated_flow` filled by `estimator` where it is missing."""

    def __init__(self, clips: Clips, estimator: Callable[[Clip], Flow]) -> None:
        self.clips = clips
        self.estimator = estimator

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One clip, at its own size."""
        return self._with_flow(self.clips[index])

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """The same of a clip in the shape that a batch chooses."""
        return self._with_flow(shaped_clip(self.clips, index, shape))

    def _with_flow(self, clip: Clip) -> Clip:
        if clip.estimated_flow is not None:
            return clip
        return dataclasses.replace(clip, estimated_flow=self.estimator(clip))
