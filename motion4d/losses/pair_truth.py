"""The truth that pointmaps of image pairs are compared with: both images in the first one's camera (DUSt3R, MonST3R).

Each image is described at its own time: what moved in between stands where its own image saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.clip import Clip
from motion4d.geometry.poses import se3_inverse
from motion4d.geometry.projection import transform_points, unproject
from motion4d.losses.geometry_truth import known_geometry


@dataclass
class PairTruth:
    """points [P, 2, H, W, 3] of P ordered pairs, the first image and the second one, in the first one's camera;
    valid [P, 2, H, W] bool: known here.
    """

    points: Tensor
    valid: Tensor


def neighbours(num_frames: int) -> tuple[tuple[int, int], ...]:
    """Each frame with the next one, both ways: (0, 1), (1, 0), (1, 2), (2, 1), ...; a ValueError for a single frame."""
    if num_frames < 2:
        raise ValueError("a pair needs two frames, but the clip has one; choose data.train.num_frames=2 or more")
    return tuple(pair for k in range(num_frames - 1) for pair in ((k, k + 1), (k + 1, k)))


def in_first_camera(clip: Clip, pairs: Sequence[tuple[int, int]] | None = None) -> PairTruth:
    """The truth of the `pairs` of frames of every video of the clip, video by video; None: its neighbours.

    A pixel is valid where its depth is positive and finite, and `clip.valid`.
    """
    chosen = neighbours(clip.num_frames) if pairs is None else pairs
    camera_to_world, intrinsics, depth, valid = known_geometry(clip)
    with torch.autocast(depth.device.type, enabled=False):
        points = unproject(torch.where(valid, depth, 0), intrinsics)
        first, second = ([pair[side] for pair in chosen] for side in (0, 1))
        second_to_first = se3_inverse(camera_to_world[:, first]) @ camera_to_world[:, second]
        both = torch.stack((points[:, first], transform_points(second_to_first, points[:, second])), dim=2)
    return PairTruth(both.flatten(0, 1), torch.stack((valid[:, first], valid[:, second]), dim=2).flatten(0, 1))
