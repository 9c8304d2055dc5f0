"""What is known of a clip before Pi3X sees it: depth, camera rays, poses, in any combination and for any of its views.

`Priors` is what a caller gives, `Normalised` what the network reads: all of one scale, poses relative to the first
view. `PoseAttention` is how posed views look at each other (PRoPE: Li et al. 2025, without intrinsics).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from motion4d.clip import check_shape
from motion4d.geometry.poses import relative_to_first, se3, se3_inverse
from motion4d.geometry.projection import unproject
from motion4d.layers.rope import Rotary, rotary_at

SMALLEST_MOTION = 0.02  # translations that are all shorter do not set the scale


@dataclass(frozen=True)
class Priors:
    """Conventions: motion4d.clip. None: not known of any view.

    depth [B, N, H, W]: not positive or not finite: unknown there. intrinsics [B, N, 3, 3] in pixels of the network's
    images. camera_to_world [B, N, 4, 4] in any common frame, at any scale.
    depth_known, rays_known, pose_known [B, N] bool: which views it is known of (None: all). Poses of the other views
    still count for the scale, as published: put a guess there, or the first pose.
    """

    depth: Tensor | None = None
    intrinsics: Tensor | None = None
    camera_to_world: Tensor | None = None
    depth_known: Tensor | None = None
    rays_known: Tensor | None = None
    pose_known: Tensor | None = None

    def normalised(self, images: Tensor) -> Normalised:
        """What the network reads, for images [B, N, 3, H, W]."""
        frames, size = images.shape[:2], images.shape[-2:]
        answer = Normalised()
        scale = images.new_ones(frames[0])
        unscaled = torch.ones(frames[0], dtype=torch.bool, device=images.device)  # batch items without depth
        if self.depth is not None:
            _check("depth", self.depth, (*frames, *size), "B N H W")
            known = _mask("depth_known", self.depth_known, images)
            depth = torch.where(self.depth.isfinite() & (self.depth > 0) & known[..., None, None], self.depth, 0.0)
            scale, unscaled = _mean_of_positive(depth), ~known.any(1)
            answer.depth, answer.depth_known = depth / scale[:, None, None, None], known
        if self.intrinsics is not None:
            _check("intrinsics", self.intrinsics, (*frames, 3, 3), "B N 3 3")
            answer.rays = unproject(images.new_ones(*frames, *size), self.intrinsics)[..., :2]
            answer.rays_known = _mask("rays_known", self.rays_known, images)
        if self.camera_to_world is not None:
            _check("camera_to_world", self.camera_to_world, (*frames, 4, 4), "B N 4 4")
            relative = relative_to_first(self.camera_to_world)
            moved = relative[..., :3, 3] / scale[:, None, None]
            if frames[1] > 1:
                lengths = moved[:, 1:].norm(dim=-1)
                sets_scale = unscaled & (lengths.amax(1) >= SMALLEST_MOTION)
                moved = moved / torch.where(sets_scale, lengths.mean(1) + 1e-8, 1.0)[:, None, None]
            answer.camera_to_first = se3(relative[..., :3, :3], moved)
            known = _mask("pose_known", self.pose_known, images)
            answer.pose_known = known & (known.sum(1, keepdim=True) != 1)  # one pose alone says nothing
        return answer


@dataclass
class Normalised:
    """depth [B, N, H, W] (0: unknown); rays [B, N, H, W, 2] = (x / z, y / z); camera_to_first [B, N, 4, 4]; and which
    views each of them is known of [B, N].
    """

    depth: Tensor | None = None
    depth_known: Tensor | None = None
    rays: Tensor | None = None
    rays_known: Tensor | None = None
    camera_to_first: Tensor | None = None
    pose_known: Tensor | None = None


class PoseAttention:
    """How patches of V posed views attend: half of a head's channels turn with the camera, half with row and column.

    An Attend (motion4d.layers.attention) for [B, heads, V * h*w, head_dim]; camera_to_world [V, 4, 4].
    """

    def __init__(self, camera_to_world: Tensor, grid: tuple[int, int], head_dim: int, base: float) -> None:
        self.to_camera = se3_inverse(camera_to_world)
        self.to_world = camera_to_world
        rows = torch.arange(grid[0], device=camera_to_world.device).repeat_interleave(grid[1])
        columns = torch.arange(grid[1], device=camera_to_world.device).repeat(grid[0])
        self.forth = rotary_at(torch.stack((columns, rows), -1), head_dim // 2, base)
        self.back = Rotary(self.forth.cos, -self.forth.sin)

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[B, heads, V * h*w, head_dim] -> the same shape."""
        query = self._turn(query, self.to_camera.transpose(-1, -2), self.back)
        key = self._turn(key, self.to_world, self.back)
        value = self._turn(value, self.to_world, self.back)
        return self._turn(F.scaled_dot_product_attention(query, key, value), self.to_camera, self.forth)

    def _turn(self, tokens: Tensor, matrices: Tensor, rotary: Rotary) -> Tensor:
        views = tokens.unflatten(2, (len(matrices), -1))
        cameras, places = views.chunk(2, dim=-1)
        groups = cameras.unflatten(-1, (-1, 4))
        moved = torch.einsum("vij,bhvlgj->bhvlgi", matrices.to(tokens.dtype), groups).flatten(-2)
        return torch.cat((moved, rotary.rotate(places.contiguous())), dim=-1).flatten(2, 3)


def _check(name: str, tensor: Tensor, wanted: tuple[int, ...], pattern: str) -> None:
    check_shape(name, tensor, pattern)
    if tuple(tensor.shape) != wanted:
        raise ValueError(f"{name} is {tuple(tensor.shape)}, but these images need {wanted}")


def _mask(name: str, mask: Tensor | None, images: Tensor) -> Tensor:
    """[B, N] bool, all true if it was not given."""
    if mask is None:
        return torch.ones(images.shape[:2], dtype=torch.bool, device=images.device)
    _check(name, mask, (images.shape[0], images.shape[1]), "B N")
    return mask.bool()


def _mean_of_positive(depth: Tensor) -> Tensor:
    """[B]: mean of the positive values of each batch item, 1 where there are none."""
    positive = depth > 0
    count = positive.flatten(1).sum(1)
    mean = depth.flatten(1).sum(1) / count.clamp(min=1) + 1e-8
    return torch.where(count > 0, mean, 1.0)
