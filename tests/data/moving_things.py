"""Tiny clips with full truth: a bright thing that walks over a textured wall, seen by a camera at rest."""

from __future__ import annotations

import torch

from motion4d.clip import Clip, Source


def walking_thing(name: str = "walk", *, frames: int = 6, height: int = 32, width: int = 48, step: int = 2) -> Clip:
    """The thing covers 8 x 8 pixels and moves `step` pixels per frame; everything else is the static world."""
    generator = torch.Generator().manual_seed(frames + step)
    wall = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 6, generator=generator) * 0.5, (height, width))
    images = wall[:, None].repeat(1, frames, 1, 1, 1)
    instances = torch.zeros(1, frames, height, width, dtype=torch.int64)
    for frame in range(frames):
        columns = slice(4 + step * frame, 12 + step * frame)
        images[0, frame, :, 12:20, columns] = 0.9
        instances[0, frame, 12:20, columns] = 1
    intrinsics = torch.tensor([[40.0, 0, (width - 1) / 2], [0, 40.0, (height - 1) / 2], [0, 0, 1]])
    return Clip(
        images,
        motion=instances > 0,
        instances=instances,
        depth=torch.full((1, frames, height, width), 3.0),
        camera_to_world=torch.eye(4).expand(1, frames, 4, 4),
        intrinsics=intrinsics.expand(1, frames, 3, 3),
        sources=(Source("things", name, tuple(f"{frame:05d}" for frame in range(frames))),),
    )
