"""Clips in a network's input size: images, truth and flow resized together, in the data workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.data.sampling import BatchShape, Clips, shaped_clip
from motion4d.framing import Framing

Rule = Callable[[int, int], Framing]  # native (H, W) -> framing


class Framed:
    """The clips of another dataset, framed by `rule`."""

    def __init__(self, clips: Clips, rule: Rule) -> None:
        self.clips = clips
        self.rule = rule

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One clip at the size that the rule gives for it."""
        return self._framed(self.clips[index])

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """The same of a clip in the shape that a batch chooses."""
        return self._framed(shaped_clip(self.clips, index, shape))

    def _framed(self, clip: Clip) -> Clip:
        return frame_clip(clip, self.rule(*clip.size))


def frame_clip(clip: Clip, framing: Framing) -> Clip:
    """Every field of `clip` at the framing's size."""
    if framing.native == framing.size == framing.resized:
        return clip
    return dataclasses.replace(
        clip,
        images=framing.images(clip.images),
        sources=tuple(dataclasses.replace(source, framing=framing) for source in clip.sources),
        motion=_apply(framing.labels, clip.motion),
        instances=_apply(framing.labels, clip.instances),
        valid=_apply(framing.labels, clip.valid),
        depth=_apply(framing.values, clip.depth),
        intrinsics=_apply(framing.intrinsics, clip.intrinsics),
        flow=_frame_flow(framing, clip.flow),
        estimated_flow=_frame_flow(framing, clip.estimated_flow),
    )


def _apply(change: Callable[[Tensor], Tensor], tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else change(tensor)


def _frame_flow(framing: Framing, flow: Flow | None) -> Flow | None:
    return None if flow is None else Flow(framing.flow(flow.forward), _apply(framing.flow, flow.backward))
