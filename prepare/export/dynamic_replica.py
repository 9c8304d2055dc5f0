"""Dynamic Replica as downloaded: train/SEQUENCE_left/{images,instance_id_maps,trajectories}.

The static world is an instance too, with points that stay where they are; the points of what moves follow the middle of
its visible part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.geometry.projection import transform_points, unproject
from motion4d.io.files import atomic_path
from motion4d.io.images import write_image
from prepare.export import frames

POINTS = 8  # per instance


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; ids are those of the clip plus 1, the static world is 1."""
    for clip in clips:
        name = f"{clip.sources[0].sequence}_left"
        scene = folder / "dynamic_replica_data" / "train" / name
        for frame, (picture, labels) in enumerate(zip(frames.pictures(clip), frames.instances(clip) + 1, strict=True)):
            write_image(scene / "images" / f"{name}-{frame:04d}.png", picture)
            write_image(scene / "instance_id_maps" / f"{name}_{frame:04d}.png", labels)
        for frame, (points, owners) in enumerate(_trajectories(clip)):
            with atomic_path(scene / "trajectories" / f"{frame:06d}.pth") as temporary:
                torch.save({"traj_3d_world": points, "instances": owners}, temporary)


def _trajectories(clip: Clip) -> Iterator[tuple[Tensor, Tensor]]:
    """Per frame: points [P, 3] in the world, and the instance of each [P]."""
    instances, depth, poses, intrinsics = clip.instances, clip.depth, clip.camera_to_world, clip.intrinsics
    if instances is None or depth is None or poses is None or intrinsics is None:
        raise ValueError("trajectories need a clip's instances, depth and cameras")
    world = transform_points(poses, unproject(depth, intrinsics))[0]
    ids = [number for number in instances.unique().tolist() if number]
    owners = torch.tensor([0, *ids]).repeat_interleave(POINTS) + 1
    offsets = torch.linspace(-0.1, 0.1, POINTS)[:, None].expand(POINTS, 3)
    middles = {number: torch.zeros(3) for number in [0, *ids]}
    for points, labels in zip(world, instances[0], strict=True):
        middles |= {number: points[labels == number].mean(0) for number in ids if (labels == number).any()}
        yield torch.cat([middle + offsets for middle in middles.values()]), owners
