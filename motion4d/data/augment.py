"""Random views of clips for training motion masks: mirrored, played backwards, cut to fewer frames, recoloured.

What these change without breaking is kept: images, motion, instances, valid mask, estimated flow. Cameras, depth and
true flow are dropped, since a mirrored world has other ones, and so are the names of the frames, under which only the
unchanged frames' flow could be found. Random numbers come from torch's generator, which
motion4d.data.sampling seeds by (seed, epoch, index).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from motion4d.clip import Clip, Flow
from motion4d.data.geometry_views import recoloured
from motion4d.data.sampling import Clips


class MotionViews:
    """One random view of each clip of another dataset.

    num_frames: length of the view, from a random start (None: all frames); colour: largest relative change of
    brightness and contrast, one for the whole clip.
    """

    def __init__(self, clips: Clips, *, num_frames: int | None = None, colour: float = 0.3) -> None:
        self.clips = clips
        self.num_frames = num_frames
        self.colour = colour

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """One view."""
        clip = self.clips[index]
        count = min(self.num_frames or clip.num_frames, clip.num_frames)
        start = int(torch.randint(clip.num_frames - count + 1, ()))
        mirrored, backwards = (torch.rand(2) < 0.5).tolist()

        def view(frames: Tensor | None) -> Tensor | None:
            if frames is None:
                return None
            frames = frames[:, start : start + count]
            frames = frames.flip(-1) if mirrored else frames
            return frames.flip(1) if backwards else frames

        images = view(clip.images)
        assert images is not None
        return Clip(
            recoloured(images, self.colour),
            motion=view(clip.motion),
            instances=view(clip.instances),
            valid=view(clip.valid),
            estimated_flow=_flow_of_view(clip.estimated_flow, start, count, mirrored=mirrored, backwards=backwards),
            sources=tuple(replace(source, frames=()) for source in clip.sources),
        )


def _flow_of_view(flow: Flow | None, start: int, count: int, *, mirrored: bool, backwards: bool) -> Flow | None:
    """The flow between a view's frames: mirrored, u changes its sign; backwards, the directions change places."""
    if flow is None:
        return None

    def view(field: Tensor) -> Tensor:
        field = field[:, start : start + count - 1]
        field = field.flip(-1) * field.new_tensor([-1, 1]).view(2, 1, 1) if mirrored else field
        return field.flip(1) if backwards else field

    forward = view(flow.forward)
    backward = None if flow.backward is None else view(flow.backward)
    if not backwards:
        return Flow(forward, backward)
    if backward is None:
        raise ValueError("a clip played backwards needs its backward flow, but the estimator gave none")
    return Flow(backward, forward)
