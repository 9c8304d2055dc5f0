"""Dynamic Replica as downloaded: train/SEQUENCE_left/{images,depths,instance_id_maps,trajectories}, and the cameras of
all frames in train/frame_annotations_train.jgz.

The static world is an instance too, with points that stay where they are; the points of what moves follow the middle of
its visible part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.geometry.projection import transform_points, unproject
from motion4d.io.files import atomic_path
from motion4d.io.float_images import write_half_png
from motion4d.io.images import write_image
from motion4d.layouts.dynamic_replica_geometry import DEPTH, DEPTH_SUFFIX
from prepare.export import frames
from prepare.export.co3d import write_jgz
from prepare.export.geometry import Truth, truth_of

POINTS = 8  # per instance


def write(clips: Iterable[Clip], folder: Path) -> None:
    """Write the clips below `folder`; ids are those of the clip plus 1, the static world is 1."""
    annotations = []
    for clip in clips:
        truth = truth_of(clip)
        name = f"{clip.sources[0].sequence}_left"
        scene = folder / "dynamic_replica_data" / "train" / name
        for frame, (picture, labels) in enumerate(zip(frames.pictures(clip), frames.instances(clip) + 1, strict=True)):
            write_image(scene / "images" / f"{name}-{frame:04d}.png", picture)
            write_image(scene / "instance_id_maps" / f"{name}_{frame:04d}.png", labels)
            write_half_png(scene / DEPTH / f"{name}_{frame:04d}{DEPTH_SUFFIX}", truth.depth[frame])
            annotations.append(_annotation(truth, frame, f"{name}/images/{name}-{frame:04d}.png"))
        for frame, (points, owners) in enumerate(_trajectories(clip)):
            with atomic_path(scene / "trajectories" / f"{frame:06d}.pth") as temporary:
                torch.save({"traj_3d_world": points, "instances": owners}, temporary)
    write_jgz(folder / "dynamic_replica_data" / "train" / "frame_annotations_train.jgz", annotations)


def _annotation(truth: Truth, frame: int, image: str) -> dict[str, Any]:
    """The camera of a frame in PyTorch3D's conventions: row vectors, x left, y up, pixel centres at halves."""
    axes = np.array([-1.0, -1.0, 1.0])
    world_to_camera = np.linalg.inv(truth.camera_to_world[frame])
    height, width = truth.depth.shape[1:]
    half = np.array([width, height]) / 2
    matrix = truth.intrinsics[frame]
    viewpoint = {
        "R": (world_to_camera[:3, :3].T * axes).tolist(),
        "T": (world_to_camera[:3, 3] * axes).tolist(),
        "focal_length": (matrix[(0, 1), (0, 1)] / half.min()).tolist(),
        "principal_point": ((half - 0.5 - matrix[:2, 2]) / half.min()).tolist(),
        "intrinsics_format": "ndc_isotropic",
    }
    return {"image": {"path": image, "size": [height, width]}, "viewpoint": viewpoint}


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
