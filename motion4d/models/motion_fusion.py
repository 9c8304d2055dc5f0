"""GeoMotion's fusion: shallow tokens, deep tokens, camera tokens and optical flow -> one token per patch.

Follows GeoMotion (Zhou et al. 2026); attribute names are the published keys under `motion_aware_decoder`. Special
tokens (first in every row) carry no flow and no camera: they pass `feature_proj` only.

The published form runs the flow convolutions over full frames and then reads, by bilinear interpolation, the four
pixels around each patch centre. Here they run on the 8x8 window that those four pixels can see (three 3x3
convolutions reach 3 pixels); the result is the same, padding is never reached, and time and memory shrink by an order.
`full_resolution_flow_features` keeps the published form for tests and for eval.speed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.clip import check_shape

WINDOW = 8  # pixels: the central 2x2 plus the reach of three 3x3 convolutions


class MotionFusion(nn.Module):
    """Fuse tokens and flow of single frames.

    low_dim, high_dim, camera_dim: channels of the three token inputs (camera_dim 0: none); out_dim: channels of the
    result; flow_in: channels of the flow maps (1 = length); flow_channels: of the three convolutions.
    """

    def __init__(
        self,
        low_dim: int,
        high_dim: int,
        camera_dim: int,
        out_dim: int,
        *,
        patch_size: int = 14,
        flow_in: int = 1,
        flow_channels: Sequence[int] = (32, 64, 128),
    ) -> None:
        super().__init__()
        if patch_size % 2 or patch_size < WINDOW:
            raise ValueError(f"the flow windows need an even patch size of at least {WINDOW}, not {patch_size}")
        first, second, third = flow_channels
        self.patch_size = patch_size
        self.feature_proj = nn.Sequential(nn.Linear(low_dim + high_dim, out_dim), nn.ReLU())
        self.flow_encoder = nn.Sequential(
            nn.Conv2d(flow_in, first, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(second, third, 3, padding=1),
            nn.ReLU(),
        )
        self.fusion_proj = nn.Linear(out_dim + third + camera_dim, out_dim)

    def forward(self, low: Tensor, high: Tensor, camera: Tensor | None, flow: Tensor, *, special: int) -> Tensor:
        """Tokens [M, special + h*w, C] each, flow [M, flow_in, H, W] in pixels -> [M, special + h*w, out_dim]."""
        features = self.feature_proj(torch.cat((low, high), dim=-1))
        parts = [features[:, special:], self.flow_features(flow)]
        if camera is not None:
            parts.append(camera[:, special:])
        fused = self.fusion_proj(torch.cat([part.to(features.dtype) for part in parts], dim=-1))
        return torch.cat((features[:, :special].to(fused.dtype), fused), dim=1)

    def flow_features(self, flow: Tensor) -> Tensor:
        """[M, flow_in, H, W] -> [M, h*w, channels], evaluated only on the window around each patch centre."""
        windows = centre_windows(flow, self.patch_size)
        features = windows.flatten(0, 1)
        for layer in self.flow_encoder:
            if isinstance(layer, nn.Conv2d):
                features = F.conv2d(features, layer.weight, layer.bias)  # no padding: the window shrinks by 2
            else:
                features = F.relu(features)
        return features.mean((-2, -1)).unflatten(0, windows.shape[:2])


def centre_windows(maps: Tensor, patch_size: int) -> Tensor:
    """[M, C, H, W] -> [M, h*w, C, 8, 8]: the window around the centre of each patch, row by row."""
    check_shape("flow", maps, "M C H W")
    if maps.shape[-2] % patch_size or maps.shape[-1] % patch_size:
        raise ValueError(
            f"flow maps of {maps.shape[-2]}x{maps.shape[-1]} pixels cannot be cut into patches of {patch_size}"
        )
    start = patch_size // 2 - WINDOW // 2
    inner = maps[..., start:, start:]
    windows = inner.unfold(2, WINDOW, patch_size).unfold(3, WINDOW, patch_size)  # M C h w 8 8
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(1, 2)


def full_resolution_flow_features(fusion: MotionFusion, flow: Tensor) -> Tensor:
    """The published form of `MotionFusion.flow_features`, for comparison only: convolve whole frames, then resize."""
    maps = fusion.flow_encoder(flow)
    grid = (flow.shape[-2] // fusion.patch_size, flow.shape[-1] // fusion.patch_size)
    patches = F.interpolate(maps, size=grid, mode="bilinear", align_corners=False, antialias=False)
    return patches.flatten(2).transpose(1, 2)
