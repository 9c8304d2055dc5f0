"""Colour of visible points: textures with mipmaps, directed light, soft shadows."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.data.procedural.parts import Scenery
from motion4d.data.procedural.render import Visible

_SIDE_OFFSET = 0.37  # of a texture, so that the sides of a box differ


def shade(scenery: Scenery, seen: Visible) -> Tensor:
    """[N, 3, H, W] linear colours in [0, 1], before light changes and photography."""
    normals, texels = _surface(scenery, seen)
    mipmaps = _Mipmaps(torch.as_tensor(scenery.textures, device=seen.depth.device))
    frames = [_shade_frame(scenery, seen, normals, texels, mipmaps, frame) for frame in range(len(seen.depth))]
    return torch.stack(frames)


def _surface(scenery: Scenery, seen: Visible) -> tuple[Tensor, Tensor]:
    """(local normals, texture coordinates (x, y) in texels), [N*H*W, 3] and [N*H*W, 2]."""
    local = seen.local.view(-1, 3)
    normals = torch.empty_like(local)
    part_of = seen.part.view(-1)
    for index, part in enumerate(scenery.parts):
        chosen = (part_of == index).nonzero()[:, 0]
        normals[chosen] = part.shape.normal(local[chosen])
    scales = torch.as_tensor(np.stack([part.size * part.density for part in scenery.parts]))
    scaled = local * scales.to(local)[part_of]
    magnitude = normals.abs()
    axis = magnitude.argmax(1, keepdim=True)
    side = axis + 3 * (normals.gather(1, axis) > 0)
    across = scaled.gather(1, torch.where(axis == 0, 2, 0))
    down = scaled.gather(1, torch.where(axis == 1, 2, 1))
    return normals, torch.cat([across, down], 1) + side * (_SIDE_OFFSET * scenery.textures.shape[1])


def _shade_frame(
    scenery: Scenery, seen: Visible, normals: Tensor, texels: Tensor, mipmaps: _Mipmaps, frame: int
) -> Tensor:
    _, height, width = seen.depth.shape
    pixels = slice(frame * height * width, (frame + 1) * height * width)
    part = seen.part[frame].view(-1)
    depth = seen.depth[frame].view(-1)
    lit = _light(scenery, part, normals[pixels], frame)
    density = torch.tensor([item.density for item in scenery.parts], dtype=torch.float32, device=part.device)[part]
    level = (density * depth / scenery.focal).log2()
    texture = torch.tensor([item.texture for item in scenery.parts], device=part.device)[part]
    colour = mipmaps.sample(texture, texels[pixels], level)
    colour = colour * (lit * _shadow(scenery, seen, frame))[:, None]
    return colour.T.reshape(3, height, width)


def _light(scenery: Scenery, part: Tensor, normals: Tensor, frame: int) -> Tensor:
    """[P] brightness under half-Lambert light, never black."""
    inverse = np.stack([np.linalg.inv(item.local_to_world[frame, :3, :3]) for item in scenery.parts])
    table = torch.as_tensor(inverse, dtype=torch.float32, device=part.device).reshape(-1, 9)
    matrices = table[part].view(-1, 3, 3)
    world = (matrices * normals[:, :, None]).sum(1)
    light = torch.as_tensor(scenery.look.light, dtype=torch.float32, device=part.device)
    facing = (world @ light) / world.norm(dim=1).clamp(min=1e-12)
    ambient = scenery.look.ambient
    return ambient + (1 - ambient) * (0.5 + 0.5 * facing)


def _shadow(scenery: Scenery, seen: Visible, frame: int) -> Tensor:
    """[P] factor; shadows fall on the background only."""
    height, width = seen.depth.shape[1:]
    factor = torch.ones(height * width, device=seen.depth.device)
    if not scenery.shadows:
        return factor
    things = torch.tensor([part.thing for part in scenery.parts], device=factor.device)
    ground = (things[seen.part[frame].view(-1)] == 0).nonzero()[:, 0]
    points = _world_points(scenery, seen.depth[frame], frame).view(-1, 3)[ground]
    for shadow in scenery.shadows:
        centre = torch.as_tensor(shadow.centres[frame], dtype=torch.float32, device=factor.device)
        distance = (points - centre).square().sum(1) / shadow.radius**2
        factor[ground] *= 1 - shadow.strength * torch.exp(-distance)
    return factor


def _world_points(scenery: Scenery, depth: Tensor, frame: int) -> Tensor:
    """[H, W, 3] world points of a depth map [H, W]."""
    height, width = depth.shape
    x = (torch.arange(width, device=depth.device) - (width - 1) / 2) / scenery.focal
    y = (torch.arange(height, device=depth.device) - (height - 1) / 2) / scenery.focal
    camera = torch.stack([x.expand(height, width) * depth, y[:, None].expand(height, width) * depth, depth], -1)
    pose = torch.as_tensor(scenery.camera_to_world[frame], dtype=torch.float32, device=depth.device)
    return camera @ pose[:3, :3].T + pose[:3, 3]


class _Mipmaps:
    """All textures [T, S, S, 3] with all their reductions, in one table of texels that repeat endlessly."""

    def __init__(self, textures: Tensor) -> None:
        size = textures.shape[1]
        self.top = size.bit_length() - 1
        self.size = size
        level, tables, starts, start = textures.permute(0, 3, 1, 2), [], [], 0
        for _ in range(self.top + 1):
            tables.append(level.permute(0, 2, 3, 1).reshape(len(textures), -1, 3))
            starts.append(start)
            start += tables[-1].shape[1]
            level = F.avg_pool2d(level, 2) if level.shape[-1] > 1 else level
        self.per_texture = start
        self.starts = torch.tensor(starts, device=textures.device)
        self.table = torch.cat(tables, 1).reshape(-1, 3)

    def sample(self, texture: Tensor, texels: Tensor, level: Tensor) -> Tensor:
        """[P, 3] of textures [P] at texel coordinates [P, 2]; level [P]: log2 of texels per pixel (trilinear)."""
        level = level.clamp(0, self.top - 0.001)
        low = level.floor().long()
        base = texture * self.per_texture
        near, far = self._bilinear(base, texels, low), self._bilinear(base, texels, low + 1)
        return torch.lerp(near, far, (level - low)[:, None])

    def _bilinear(self, base: Tensor, texels: Tensor, level: Tensor) -> Tensor:
        size = self.size >> level
        place = texels * (size / self.size)[:, None] - 0.5
        corner = place.floor()
        part = place - corner
        column, row = corner.long().unbind(1)
        base = base + self.starts[level]
        left, right = column & (size - 1), (column + 1) & (size - 1)
        upper, lower = base + (row & (size - 1)) * size, base + ((row + 1) & (size - 1)) * size
        across, down = part[:, :1], part[:, 1:]
        above = torch.lerp(self.table[upper + left], self.table[upper + right], across)
        below = torch.lerp(self.table[lower + left], self.table[lower + right], across)
        return torch.lerp(above, below, down)
