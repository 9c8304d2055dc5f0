"""A network that knows the truth, but tells it in a frame and a scale of its own in every window."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from motion4d.clip import Clip, Geometry
from motion4d.framing import Framing, Native
from motion4d.geometry.poses import rotation_from_9, se3
from motion4d.geometry.projection import intrinsics_matrix, pixel_grid, transform_points, unproject

SIZE = (24, 32)
CENTRE = ((SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2)


class Truth:
    """A camera that flies through a bumpy room: camera_to_world [N, 4, 4], intrinsics [3, 3], depth [N, H, W]."""

    def __init__(self, count: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        time = torch.arange(count, dtype=torch.float64) / 10
        turn = torch.eye(3).flatten() + 0.3 * torch.stack(
            [torch.sin(time * f) for f in (0.3, 0.7, 0.5, 0.9, 0.2, 0.4, 0.8, 0.6, 0.1)], -1
        )
        place = torch.stack((time, torch.sin(time), 0.5 * torch.cos(2 * time)), -1)
        poses = se3(rotation_from_9(turn), place)
        self.camera_to_world = torch.linalg.inv(poses[0]) @ poses
        self.intrinsics = intrinsics_matrix(torch.tensor([30.0, 31.0]), torch.tensor(CENTRE))
        waves = torch.rand(count, 3, 1, 1, generator=generator) * 2
        u, v = (pixel_grid(*SIZE, like=torch.empty(0)) / 5).unbind(-1)
        self.depth = 3 + torch.sin(u + waves[:, 0]) + torch.cos(v * waves[:, 1] + waves[:, 2])

    def images(self) -> Tensor:
        """[N, 3, H, W] uint8: the red and green of frame k say k, so that the network knows which it sees."""
        number = torch.arange(len(self.depth))
        colours = torch.stack((number // 250, number % 250, torch.full_like(number, 128)), -1).to(torch.uint8)
        return colours[:, :, None, None].expand(-1, 3, *SIZE).clone()


class WindowedTruth:
    """A GeometrySource. Each call answers in another similarity of the true world; `spoil` changes its answers."""

    def __init__(
        self,
        truth: Truth,
        *,
        heads: Collection[str] = ("pose", "depth", "confidence"),
        spoil: Callable[[int, Geometry], None] = lambda call, answer: None,
        framing: Callable[[int, int], Framing] | None = None,
    ) -> None:
        self.truth = truth
        self.available_heads = frozenset(heads)
        self.backbone = self
        self.framing = framing or Native()
        self.spoil = spoil
        self.seen: list[list[int]] = []

    def geometry(self, clip: Clip, *, heads: Collection[str]) -> Geometry:
        """The truth of these frames, moved and scaled."""
        assert set(heads) <= self.available_heads
        numbers = (clip.images[0, :, :2, clip.size[0] // 2, clip.size[1] // 2] * 255).round().long()
        frames = (250 * numbers[:, 0] + numbers[:, 1]).tolist()
        generator = torch.Generator().manual_seed(len(self.seen))
        rotation = rotation_from_9(torch.randn(9, generator=generator, dtype=torch.float64))
        scale = math.exp(float(torch.randn(1, generator=generator)))
        poses = se3(rotation, torch.randn(3, generator=generator).double()) @ self.truth.camera_to_world[frames]
        poses[:, :3, 3] *= scale
        depth, intrinsics = self.truth.depth[frames] * scale, self.truth.intrinsics.expand(len(frames), 3, 3).clone()
        points = unproject(depth, intrinsics)
        answer = Geometry(
            camera_to_world=poses[None].float(),
            intrinsics=intrinsics[None],
            points_camera=points[None],
            points_world=transform_points(poses.float(), points)[None],
            depth=depth[None],
            confidence=torch.ones_like(depth)[None],
        )
        self.spoil(len(self.seen), answer)
        self.seen.append(frames)
        return answer
