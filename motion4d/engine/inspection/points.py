"""Pixels drawn from a clip, carried to other frames by depth and cameras: what the checks compare with each other.

All in float64, so that worlds with far-away origins do not lose pixels to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motion4d.geometry.projection import project, transform_points

MOST = 4000  # points that are drawn


@dataclass(frozen=True)
class Rig:
    """Depth [N, H, W] (0: none), camera_to_world [N, 4, 4] and intrinsics [N, 3, 3], all float64."""

    depth: Tensor
    camera_to_world: Tensor
    intrinsics: Tensor


@dataclass(frozen=True)
class Points:
    """P pixels: frame [P] in which each lies, row and column [P], and the frame `target` [P] that it is carried to."""

    frame: Tensor
    row: Tensor
    column: Tensor
    target: Tensor

    @property
    def pixels(self) -> Tensor:
        """(u, v) [P, 2]."""
        return torch.stack((self.column, self.row), -1).double()

    def of(self, maps: Tensor) -> Tensor:
        """Maps [N, H, W] or [N, C, H, W] at the points: [P] or [P, C]."""
        return maps[self.frame, ..., self.row, self.column]


def drawn_points(usable: Tensor, target: Tensor) -> Points:
    """At most MOST of the `usable` [N, H, W] pixels, the same ones every time; target [N]: where each frame's go."""
    places = usable.nonzero()
    if len(places) > MOST:
        generator = torch.Generator().manual_seed(0)
        places = places[torch.randint(len(places), (MOST,), generator=generator)]
    frame, row, column = places.unbind(1)
    return Points(frame, row, column, target[frame])


def carried(rig: Rig, points: Points) -> tuple[Tensor, Tensor]:
    """Where the cameras see the points in their target frames: pixels [P, 2] and depth [P], z <= 0 behind one."""
    rays = torch.cat((points.pixels, torch.ones_like(points.pixels[:, :1])), 1)
    rays = (torch.linalg.inv(rig.intrinsics)[points.frame] @ rays.unsqueeze(-1)).squeeze(-1)
    world = transform_points(rig.camera_to_world[points.frame], rays * points.of(rig.depth)[:, None])
    there = transform_points(torch.linalg.inv(rig.camera_to_world)[points.target], world)
    ahead = there[:, 2:].clamp(min=1e-9)
    return project(torch.cat((there[:, :2], ahead), 1), rig.intrinsics[points.target]), there[:, 2]


def bilinear(maps: Tensor, frame: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Maps [N, C, H, W] at pixels [P, 2] of frames [P] -> values [P, C], and bool [P]: inside the map."""
    height, width = maps.shape[-2:]
    x, y = pixels.unbind(-1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = torch.where(inside, x, 0), torch.where(inside, y, 0)
    left, top = x.floor().long().clamp(max=width - 2), y.floor().long().clamp(max=height - 2)
    right_share, low_share = (x - left)[:, None], (y - top)[:, None]

    def at(down: int, right: int) -> Tensor:
        return maps[frame, :, top + down, left + right]

    upper = at(0, 0) * (1 - right_share) + at(0, 1) * right_share
    lower = at(1, 0) * (1 - right_share) + at(1, 1) * right_share
    return upper * (1 - low_share) + lower * low_share, inside
