"""Clips that are in memory (procedural scenes) in the frames and the size that a batch asks for."""

from __future__ import annotations

import numpy as np

from motion4d.clip import Clip
from motion4d.data.chance import whole
from motion4d.data.frame_windows import frame_window
from motion4d.data.sampling import BatchShape, Clips
from motion4d.data.training_views import TrainingViews, clip_of
from motion4d.data.view import View


class Reshaped:
    """The clips of another dataset, which must have depth and cameras; without a shape they stay as they are.

    A shape with more frames than a clip has repeats its last one.
    """

    def __init__(self, clips: Clips, *, views: TrainingViews | None = None) -> None:
        self.clips = clips
        self.views = views or TrainingViews()

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        """Clip `index`, unchanged."""
        return self.clips[index]

    def shaped(self, index: int, shape: BatchShape) -> Clip:
        """Neighbouring frames of clip `index` from a random start, with depth, cameras and source."""
        clip = self.clips[index]
        if clip.depth is None or clip.camera_to_world is None or clip.intrinsics is None:
            raise ValueError(f"clip {index} has no depth or no cameras, so it cannot be shown in another shape")
        start = whole(0, max(0, clip.num_frames - shape.frames))
        chosen, _ = frame_window(range(clip.num_frames), (start, start + 1), shape.frames)
        images = (clip.images[0] * 255).round().byte().permute(0, 2, 3, 1).numpy()
        depth = clip.depth[0].numpy() if clip.valid is None else (clip.depth[0] * clip.valid[0]).numpy()
        matrices = clip.intrinsics[0].double().numpy()
        views = self.views([View(images[k], matrices[k], depth[k]) for k in chosen], shape.size)
        source = clip.frames(0, clip.num_frames).sources[0]
        stems = tuple(source.frames[k] for k in chosen) if source.frames else ()
        poses = clip.camera_to_world[0].double().numpy()
        return clip_of(views, poses[np.array(chosen)], type(source)(source.dataset, source.sequence, stems))
