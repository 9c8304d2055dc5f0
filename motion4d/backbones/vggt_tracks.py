"""VGGT's track head: points of one frame followed through all frames, by iterative refinement.

Feature maps at half resolution; per iteration, correlation of every track's features with windows of the maps on
several scales, and a transformer over frames and tracks (motion4d.backbones.vggt_track_update) that moves the tracks
and renews their features. After CoTracker (Karaev et al. 2023). Attribute names are the published keys.

Only what is looked up is correlated, in memory that grows with the number of tracks and not of pixels; the published
code correlates every track with every pixel. Shape letters: B clips, N frames, P tracks, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.vggt_track_update import UpdateTransformer
from motion4d.layers.block import Mlp
from motion4d.layers.dpt import DenseFeatures


@dataclass
class PointTracks:
    """positions [iterations, B, N, P, 2] (x, y in pixels; the last iteration counts), visibility and confidence
    [B, N, P] in [0, 1].
    """

    positions: Tensor
    visibility: Tensor
    confidence: Tensor


class TrackHead(nn.Module):
    """Feature maps and points to tracks; the defaults are the published head.

    dim: of the token layers; feature_widths: of its dense features; features: channels of a feature map; the others are
    the tracker's (see Tracker). `feature_extractor` turns four layers of patch tokens into what `forward` takes.
    """

    def __init__(
        self,
        dim: int = 2048,
        *,
        patch_size: int = 14,
        features: int = 128,
        feature_widths: Sequence[int] = (256, 512, 1024, 1024),
        stride: int = 2,
        iterations: int = 4,
        levels: int = 7,
        radius: int = 4,
        hidden: int = 384,
        depth: int = 6,
        heads: int = 8,
        virtual_tracks: int = 64,
        longest_side: float = 518.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.feature_extractor = DenseFeatures(
            dim,
            patch_size,
            features=features,
            features_out=features,
            widths=feature_widths,
            positions=False,
            shrink=stride,
        )
        self.tracker = Tracker(
            features,
            iterations=iterations,
            levels=levels,
            radius=radius,
            hidden=hidden,
            depth=depth,
            heads=heads,
            virtual_tracks=virtual_tracks,
            longest_side=longest_side,
        )

    def forward(self, features: Tensor, points: Tensor, *, frame: int = 0) -> PointTracks:
        """features [B, N, C, h, w] (1/stride of the images), points [B, P, 2] in image pixels of `frame`."""
        order = [frame, *(index for index in range(features.shape[1]) if index != frame)]
        back = sorted(range(len(order)), key=order.__getitem__)  # the tracker's reference frame is its first
        tracks = self.tracker(features[:, order], points / self.stride)
        return PointTracks(
            tracks.positions[:, :, back] * self.stride, tracks.visibility[:, back], tracks.confidence[:, back]
        )


class Tracker(nn.Module):
    """Feature maps [B, N, C, h, w] and points [B, P, 2] on the first of them -> tracks, all in feature pixels.

    levels, radius: of the correlation; hidden, depth, heads, virtual_tracks: of the update transformer; longest_side:
    the displacement that counts as 1.
    """

    def __init__(
        self,
        features: int,
        *,
        iterations: int,
        levels: int,
        radius: int,
        hidden: int,
        depth: int,
        heads: int,
        virtual_tracks: int,
        longest_side: float,
    ) -> None:
        super().__init__()
        self.iterations = iterations
        self.levels = levels
        self.radius = radius
        self.longest_side = longest_side
        self.features = features
        width = 3 * features + 4
        self.corr_mlp = Mlp(levels * (2 * radius + 1) ** 2, hidden, features)
        self.query_ref_token = nn.Parameter(torch.randn(1, 2, width))  # the query's frame, other frames
        self.updateformer = UpdateTransformer(width, hidden, 2 + features, depth, heads, virtual_tracks)
        self.fmap_norm = nn.LayerNorm(features)
        self.ffeat_norm = nn.GroupNorm(1, features)
        self.ffeat_updater = nn.Sequential(nn.Linear(features, features), nn.GELU())
        self.vis_predictor = nn.Sequential(nn.Linear(features, 1))
        self.conf_predictor = nn.Sequential(nn.Linear(features, 1))

    def forward(self, maps: Tensor, points: Tensor) -> PointTracks:
        """See the class."""
        smallest = 2 ** (self.levels - 1)
        if min(maps.shape[-2:]) < smallest:
            raise ValueError(
                f"tracking needs feature maps of at least {smallest} pixels a side, but they are "
                f"{maps.shape[-2]}x{maps.shape[-1]}; use larger images"
            )
        maps = self.fmap_norm(maps.movedim(2, -1)).movedim(-1, 2)
        frames = maps.shape[1]
        pyramid = [maps]
        for _ in range(self.levels - 1):
            pyramid.append(F.avg_pool2d(pyramid[-1].flatten(0, 1), 2).unflatten(0, maps.shape[:2]))
        places = points.unsqueeze(1).repeat(1, frames, 1, 1)
        features = sample(maps[:, 0], points, padding="border").unsqueeze(1).repeat(1, frames, 1, 1)
        which = (torch.arange(frames, device=maps.device) > 0).long()
        known = _plane_embedding(points, self.query_ref_token.shape[-1], maps.shape[-2:])[:, None]
        known = known + self.query_ref_token[0][which][None, :, None]
        answers = []
        for _ in range(self.iterations):
            places = places.detach()
            correlation = self.corr_mlp(self._correlations(features, pyramid, places))
            motion = self._motion(places - places[:, :1])
            change = self.updateformer(torch.cat((motion, correlation, features), dim=-1) + known)
            features = features + self.ffeat_updater(self._normalised(change[..., 2:]))
            places = torch.cat((places[:, :1], places[:, 1:] + change[:, 1:, :, :2]), dim=1)  # the query stays
            answers.append(places)
        visibility, confidence = (
            predictor(features).squeeze(-1).sigmoid() for predictor in (self.vis_predictor, self.conf_predictor)
        )
        return PointTracks(torch.stack(answers), visibility, confidence)

    def _correlations(self, features: Tensor, pyramid: Sequence[Tensor], places: Tensor) -> Tensor:
        """Track features [B, N, P, C] against windows around `places` -> [B, N, P, levels * window], x offset slow."""
        steps = torch.arange(-self.radius, self.radius + 1, device=places.device, dtype=places.dtype)
        offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).flatten(0, 1)
        vectors = features.flatten(0, 1) / math.sqrt(features.shape[-1])
        found = []
        for level, maps in enumerate(pyramid):
            window = places.flatten(0, 1).unsqueeze(2) / 2**level + offsets  # [B*N, P, window, 2]
            sampled = sample(maps.flatten(0, 1), window.flatten(1, 2), padding="zeros")
            found.append(torch.einsum("mpwc,mpc->mpw", sampled.unflatten(1, window.shape[1:3]), vectors))
        return torch.cat(found, -1).unflatten(0, places.shape[:2])

    def _motion(self, displacement: Tensor) -> Tensor:
        """Displacements [..., 2] from the query -> sines and cosines in turn, of x and then y, and twice themselves."""
        half = self.features // 2
        frequencies = torch.arange(0, half, 2, device=displacement.device) * (1000.0 / half)
        angles = displacement.unsqueeze(-1) * frequencies
        waves = torch.stack((angles.sin(), angles.cos()), -1).flatten(-3)
        scaled = displacement / self.longest_side
        return torch.cat((waves, scaled, scaled), dim=-1)

    def _normalised(self, features: Tensor) -> Tensor:
        return self.ffeat_norm(features.flatten(0, -2)).view_as(features)


def sample(maps: Tensor, places: Tensor, *, padding: str) -> Tensor:
    """maps [M, C, h, w] at places [M, P, 2] (x, y in pixels), bilinear -> [M, P, C]."""
    size = places.new_tensor([maps.shape[-1], maps.shape[-2]])
    grid = 2 * places / (size - 1).clamp(min=1) - 1
    return F.grid_sample(maps, grid[:, None], padding_mode=padding, align_corners=True)[:, :, 0].transpose(1, 2)


def _plane_embedding(points: Tensor, channels: int, size: Sequence[int]) -> Tensor:
    """Sines and cosines of x, then of y [B, P, channels], interpolated between the pixels of `size` = (h, w)."""
    quarter = channels // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64, device=points.device) / quarter)
    last = points.new_tensor([size[1] - 1, size[0] - 1])
    inside = torch.minimum(points.clamp(min=0), last)
    lower = inside.floor()

    def waves(pixels: Tensor) -> Tensor:
        angles = pixels.double().unsqueeze(-1) * frequencies
        return torch.cat((angles.sin(), angles.cos()), -1).to(points.dtype)

    mixed = waves(lower).lerp(waves(torch.minimum(lower + 1, last)), (inside - lower).unsqueeze(-1))
    return mixed.flatten(-2)
