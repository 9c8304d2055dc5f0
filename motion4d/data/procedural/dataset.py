"""ProceduralClips: a dataset without a download. Sample k of seed s is the same on every machine.

Truth, all exact and mutually consistent: depth (z), camera_to_world (the world is the first camera), intrinsics, flow
both ways, motion (see truth.moving_things: a thing counts as moving in the frames in which it moves, as a whole),
instances (0: everything that never moves in the clip, objects that stand still included).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.clip import Clip, Flow, Source
from motion4d.data.procedural import photography, render, scenes, truth
from motion4d.data.procedural.difficulty import REFERENCE_WIDTH, Difficulty
from motion4d.data.procedural.parts import Scenery
from motion4d.data.procedural.shade import shade

_ATTEMPTS = 5

VERSION = 1  # of the renderer: raised by whoever changes what a sample looks like


class ProceduralClips:
    """`num_clips` random clips; clips of an evenly spread share are static scenes under a moving camera.

    Their sequence names end in "static_scene". field_of_view: the horizontal one of all cameras, in degrees; None: each
    clip has its own.
    """

    def __init__(
        self,
        num_clips: int,
        num_frames: int = 8,
        height: int = 128,
        width: int = 192,
        seed: int = 0,
        difficulty: Difficulty | None = None,
        name: str = "procedural",
        field_of_view: float | None = None,
    ) -> None:
        if min(num_clips, num_frames, height, width) < 1:
            raise ValueError(
                "ProceduralClips needs at least one clip, frame, row and column, but got "
                f"num_clips={num_clips}, num_frames={num_frames}, height={height}, width={width}"
            )
        self.num_clips = num_clips
        self.shape = (num_frames, height, width)
        self.seed = seed
        self.difficulty = difficulty or Difficulty()
        self.name = name
        self.field_of_view = field_of_view

    def __len__(self) -> int:
        return self.num_clips

    @property
    def identity(self) -> str:
        """Text that differs whenever the clips do; the number of clips does not change any of them."""
        lens = "" if self.field_of_view is None else f" {self.field_of_view} degrees"
        return f"{self.name} {VERSION} {self.seed} {self.shape} {self.difficulty}{lens}"

    def __getitem__(self, index: int) -> Clip:
        """Clip `index`, B = 1."""
        least = 0.0 if self.is_static_scene(index) else self.difficulty.least_moving_share
        for attempt in range(_ATTEMPTS):
            clip = self._render(self.scenery(index, attempt), index)
            if clip.motion is not None and clip.motion.float().mean() >= least:
                break
        return clip

    def is_static_scene(self, index: int) -> bool:
        """Does nothing but the camera move in clip `index`?"""
        share = self.difficulty.static_scene_share
        return int((index + 1) * share + 1e-4) > int(index * share + 1e-4)

    def scenery(self, index: int, attempt: int = 0) -> Scenery:
        """The scene of clip `index`, not yet rendered. attempt > 0: what replaces it if too little moves in view."""
        if not 0 <= index < self.num_clips:
            raise IndexError(f"clip {index} of {self.num_clips}")
        rng = np.random.default_rng([self.seed, index, attempt])
        is_static = self.is_static_scene(index)
        return scenes.sample(rng, self.difficulty, self.shape, static_scene=is_static, field_of_view=self.field_of_view)

    def _render(self, scenery: Scenery, index: int) -> Clip:
        num_frames, height, width = self.shape
        names = tuple(f"{frame:05d}" for frame in range(num_frames))
        source = Source(dataset=self.name, sequence=f"{index:04d}_{scenery.name}", frames=names)
        threshold = self.difficulty.motion_threshold_px * width / REFERENCE_WIDTH
        return render_clip(scenery, height, width, source=source, motion_threshold_px=threshold)


@torch.no_grad()
def render_clip(
    scenery: Scenery,
    height: int,
    width: int,
    *,
    source: Source,
    motion_threshold_px: float,
    device: torch.device | str = "cpu",
) -> Clip:
    """Pictures and truth of a scene, B = 1."""
    seen = render.cast(scenery, height, width, torch.device(device))
    forward, backward = truth.flow(scenery, seen, 1), truth.flow(scenery, seen, -1)
    motion, instances = truth.labels(scenery, seen, motion_threshold_px)
    images = photography.develop(shade(scenery, seen), _frame_motion(forward, backward), scenery.look)
    matrix = render.intrinsics(scenery.focal, height, width)
    poses = np.linalg.inv(scenery.camera_to_world[0]) @ scenery.camera_to_world
    return Clip(
        images=images[None],
        motion=motion[None],
        instances=instances[None],
        depth=seen.depth[None],
        camera_to_world=_single(poses, images)[None],
        intrinsics=_single(matrix, images).expand(1, len(images), 3, 3).clone(),
        flow=Flow(forward[None], backward[None]),
        sources=(source,),
    )


def _frame_motion(forward: Tensor, backward: Tensor) -> Tensor:
    """[N, 2, H, W] flow per frame: to the next one, and for the last frame from the one before."""
    if len(forward) == 0:
        return forward.new_zeros((1, *forward.shape[1:]))
    return torch.cat([forward, -backward[-1:]])


def _single(values: NDArray[np.float64], like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=like.device)
