"""Colour of visible points: textures, directed light, soft shadows. Columns of [3, K] are the K pixels of one frame."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motion4d.data.procedural.mipmaps import Mipmaps
from motion4d.data.procedural.parts import Scenery
from motion4d.data.procedural.render import Visible, intrinsics, per_pixel, pixel_rays, transform

Array = NDArray[np.float64]
_SIDE_OFFSET = 47.0  # texels, so that the sides of a box differ


def shade(scenery: Scenery, seen: Visible) -> Tensor:
    """[N, 3, H, W] colours in [0, 1], before exposure and photography."""
    mipmaps = Mipmaps(torch.as_tensor(scenery.textures, device=seen.depth.device))
    world_to_local = np.linalg.inv(np.stack([part.local_to_world for part in scenery.parts], 1))
    frames = [_shade_frame(scenery, seen, mipmaps, world_to_local, frame) for frame in range(len(seen.depth))]
    return torch.stack(frames)


def _shade_frame(scenery: Scenery, seen: Visible, mipmaps: Mipmaps, world_to_local: Array, frame: int) -> Tensor:
    height, width = seen.depth.shape[1:]
    part = seen.part[frame].view(-1)
    depth = seen.depth[frame]
    pixel_to_world = scenery.camera_to_world[frame].copy()
    pixel_to_world[:3, :3] @= np.linalg.inv(intrinsics(scenery.focal, height, width))
    rays = pixel_rays(depth)
    to_local = per_pixel((world_to_local[frame] @ pixel_to_world)[:, :3], part)
    local = transform(to_local, rays)
    normals = _normals(scenery, part, local)
    light = _light(scenery, per_pixel(world_to_local[frame, :, :3, :3], part), normals)
    if scenery.shadows:
        light = light * _shadow(scenery, part, rays, pixel_to_world, frame)
    return (_texture(scenery, mipmaps, part, local, normals, depth) * light).view(3, height, width)


def _normals(scenery: Scenery, part: Tensor, local: Tensor) -> Tensor:
    """[3, K] local normals; each kind of shape at once."""
    kinds = list({type(item.shape): item.shape for item in scenery.parts}.values())
    kind_of = torch.tensor([[type(kind) for kind in kinds].index(type(item.shape)) for item in scenery.parts])
    kind = kind_of.to(part.device).index_select(0, part)
    normals = torch.empty_like(local)
    for index, shape in enumerate(kinds):
        chosen = (kind == index).nonzero()[:, 0]
        if len(chosen):
            normals.index_copy_(1, chosen, shape.normal(local.index_select(1, chosen)))
    return normals


def _texture(scenery: Scenery, mipmaps: Mipmaps, part: Tensor, local: Tensor, normals: Tensor, depth: Tensor) -> Tensor:
    """[3, K] the parts' textures, laid on along the largest axis of the normal."""
    densities = np.array([item.density for item in scenery.parts])
    sizes = np.stack([item.size for item in scenery.parts])
    x, y, z = local * per_pixel(sizes * densities[:, None], part)
    along_x, along_y, along_z = normals.abs()
    is_x = (along_x >= along_y) & (along_x >= along_z)
    is_y = (along_y >= along_z) & ~is_x
    offset = (is_x + 2 * is_y + 3 * (normals.sum(0) > 0)) * _SIDE_OFFSET
    across = torch.where(is_x, z, x) + offset
    down = torch.where(is_y, z, y) + offset
    level = (per_pixel(densities / scenery.focal, part) * depth.view(-1)).log2()
    texture = torch.tensor([item.texture for item in scenery.parts], device=part.device).index_select(0, part)
    return mipmaps.sample(texture, across, down, level)


def _light(scenery: Scenery, world_to_local: Tensor, normals: Tensor) -> Tensor:
    """[K] brightness under half-Lambert light, never black; world_to_local [3, 3, K]."""
    ambient = scenery.look.ambient
    if ambient == 1:
        return torch.ones_like(normals[0])
    world = transform(world_to_local.transpose(0, 1), normals)
    x, y, z = scenery.look.light
    facing = world[0] * x + world[1] * y + world[2] * z
    length = (world * world).sum(0).clamp(min=1e-20).sqrt()
    return ambient + (1 - ambient) * (0.5 + 0.5 * facing / length)


def _shadow(scenery: Scenery, part: Tensor, rays: Tensor, pixel_to_world: Array, frame: int) -> Tensor:
    """[K] factor; shadows fall on the background only."""
    matrix = torch.as_tensor(pixel_to_world[:3], dtype=torch.float32, device=rays.device)
    world = matrix[:, :3] @ rays + matrix[:, 3:]
    factor = torch.ones_like(rays[0])
    for shadow in scenery.shadows:
        centre = torch.as_tensor(shadow.centres[frame], dtype=torch.float32, device=rays.device)
        distance = (world - centre[:, None]).square_().sum(0)
        factor *= 1 - shadow.strength * torch.exp(distance * (-1 / shadow.radius**2))
    is_ground = per_pixel(np.array([float(item.thing == 0) for item in scenery.parts]), part)
    return torch.lerp(torch.ones_like(factor), factor, is_ground)
