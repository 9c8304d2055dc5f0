"""Pi3's camera head: one pose per frame from its patches. Attribute names are the published keys."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.geometry.poses import rotation_from_9, se3


class CameraHead(nn.Module):
    """Patch tokens [M, h*w, width] -> poses [M, 4, 4] with orthonormal rotations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.res_conv = nn.ModuleList(_Residual(width) for _ in range(2))
        self.more_mlps = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.fc_t = nn.Linear(width, 3)
        self.fc_rot = nn.Linear(width, 9)

    def forward(self, patches: Tensor) -> Tensor:
        """The patches of one frame are averaged; nine numbers give the rotation, three the translation."""
        for residual in self.res_conv:
            patches = residual(patches)
        frame = self.more_mlps(patches.mean(dim=1))
        return se3(rotation_from_9(self.fc_rot(frame)), self.fc_t(frame))


class _Residual(nn.Module):
    """x + three linear layers of x, each followed by a ReLU (the last one too)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.res_conv1 = nn.Linear(width, width)
        self.res_conv2 = nn.Linear(width, width)
        self.res_conv3 = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        """[..., width] -> [..., width]."""
        change = F.relu(self.res_conv1(features))
        change = F.relu(self.res_conv2(change))
        return features + F.relu(self.res_conv3(change))
