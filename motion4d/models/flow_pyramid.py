"""A small motion head: a flow-and-image pyramid with the backbone's tokens at its coarsest level.

Motion carries over from synthetic to real video far better than appearance, so this head sees the flow at full
resolution, as residual after the dominant motion of each frame pair (motion4d.geometry.dominant_motion), towards the
next and the previous frame. A convolutional encoder brings it to a coarse grid; there it joins the backbone's tokens
and attends over all frames of the clip; a decoder with skip connections brings it back. Shape letters: B clips,
N frames, M = B*N, C channels, h*w patches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion4d.backbones.base import Backbone
from motion4d.clip import Clip, Flow
from motion4d.geometry.dominant_motion import residual_flow
from motion4d.models.motion_head import MotionHead, tap_channels

INPUT_CHANNELS = 3 + 2 * 6


class FlowPyramidHead(MotionHead):
    """Tokens, images and flow -> motion logits.

    tap_depths: which tokens of the backbone's trunk are read, as relative depths (1 = its last block). channels: of the
    pyramid's levels, finest (half resolution) first, each half as fine as the one before. depth, heads: of the
    transformer over all cells of the coarsest level in all frames; the tokens are resized to that level, whatever the
    backbone's patch size.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        tap_depths: Sequence[float] = (0.5, 1.0),
        channels: Sequence[int] = (24, 48, 96, 160),
        depth: int = 3,
        heads: int = 4,
    ) -> None:
        super().__init__()
        trunk = backbone.trunk_taps
        self.taps = tuple(trunk[max(round(depth * len(trunk)) - 1, 0)] for depth in tap_depths)
        self.stride = 2 ** len(channels)
        token_channels = tap_channels(backbone, self.taps)
        steps = list(zip(channels[:-1], channels[1:], strict=True))
        self.stem = nn.Conv2d(INPUT_CHANNELS, channels[0], 4, stride=2, padding=1)
        self.encode = nn.ModuleList(ConvBlock(before) for before, _ in steps)
        self.down = nn.ModuleList(nn.Conv2d(before, after, 2, stride=2) for before, after in steps)
        width = channels[-1]
        self.token_norm = nn.LayerNorm(token_channels)
        self.token_projection = nn.Linear(token_channels, width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.context = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in steps)
        self.merge = nn.ModuleList(ConvBlock(before) for before, _ in steps)
        self.out = nn.Conv2d(channels[0], 4, 3, padding=1)

    def forward(
        self, tokens: Mapping[str, Tensor], clip: Clip, flow: Flow | None, *, grid: tuple[int, int], special: int
    ) -> Tensor:
        """Motion logits [B, N, H, W]; see MotionHead."""
        if flow is None:
            raise ValueError("the flow pyramid reads optical flow; give the model a flow estimator (flow=dis)")
        batch, frames = clip.images.shape[:2]
        height, width = clip.size
        level = self.stem(_pad_to_multiple(motion_input(clip.images, flow), self.stride))
        skips = []
        for encode, down in zip(self.encode, self.down, strict=True):
            skips.append(encode(level))
            level = down(skips[-1])
        level = level + self._tokens_on(level, tokens, grid, special)
        cells = level.unflatten(0, (batch, frames)).permute(0, 1, 3, 4, 2)
        context = self.context(cells.flatten(1, 3)).view(cells.shape)
        level = context.permute(0, 1, 4, 2, 3).flatten(0, 1)
        for up, merge, skip in zip(reversed(self.up), reversed(self.merge), reversed(skips), strict=True):
            level = merge(F.interpolate(up(level), scale_factor=2, mode="bilinear", align_corners=False) + skip)
        logits = F.pixel_shuffle(self.out(level), 2)[..., :height, :width]
        return logits.float().reshape(batch, frames, height, width)

    def _tokens_on(self, level: Tensor, tokens: Mapping[str, Tensor], grid: tuple[int, int], special: int) -> Tensor:
        """The taps' patch tokens as a map of the coarsest level's channels and size."""
        patches = torch.cat([tokens[tap][:, :, special:] for tap in self.taps], -1).flatten(0, 1)
        maps = self.token_projection(self.token_norm(patches)).transpose(1, 2).unflatten(2, grid)
        if grid == tuple(level.shape[-2:]):
            return maps
        return F.interpolate(maps, size=level.shape[-2:], mode="bilinear", align_corners=False)


class ConvBlock(nn.Module):
    """Residual block: norm and two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[M, C, H, W] -> the same shape."""
        return x + self.body(x)


@torch.autocast("cpu", enabled=False)
@torch.autocast("cuda", enabled=False)
def motion_input(images: Tensor, flow: Flow) -> Tensor:
    """What the pyramid sees: [B*N, INPUT_CHANNELS, H, W].

    RGB; then towards the next and the previous frame: compressed residual (2), its magnitude, compressed flow (2), and
    the forward-backward error. The first (last) frame has no previous (next) frame: it sees the other one, reversed.
    """
    if flow.backward is None:
        raise ValueError("this head needs flow in both directions; ask the flow estimator for both")
    batch, frames = images.shape[:2]
    if frames == 1:
        still = images.new_zeros(batch, 12, *images.shape[-2:])
        return torch.cat([images.flatten(0, 1) * 2 - 1, still], 1)
    forward = _describe(flow.forward.flatten(0, 1), flow.backward.flatten(0, 1)).unflatten(0, (batch, frames - 1))
    backward = _describe(flow.backward.flatten(0, 1), flow.forward.flatten(0, 1)).unflatten(0, (batch, frames - 1))
    reverse = images.new_tensor([-1, -1, 1, -1, -1, 1]).view(6, 1, 1)
    towards_next = torch.cat([forward, backward[:, -1:] * reverse], 1)
    towards_previous = torch.cat([forward[:, :1] * reverse, backward], 1)
    return torch.cat([images * 2 - 1, towards_next, towards_previous], 2).flatten(0, 1)


def _describe(flow: Tensor, opposite: Tensor) -> Tensor:
    """[M, 6, H, W] of flow [M, 2, H, W] whose targets' own flow is `opposite`."""
    residual = residual_flow(flow)
    error = flow + _sample(opposite, flow)
    return _compress(torch.cat([residual, _length(residual), flow, _length(error)], 1))


def _length(vectors: Tensor) -> Tensor:
    """[M, 2, H, W] -> [M, 1, H, W] (several times faster than torch's norm over a short axis)."""
    return (vectors[:, :1] ** 2 + vectors[:, 1:] ** 2).sqrt()


def _compress(values: Tensor) -> Tensor:
    """Odd logarithm: linear below a pixel, gentle above."""
    return torch.sign(values) * torch.log1p(values.abs())


def _pad_to_multiple(maps: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples."""
    height, width = maps.shape[-2:]
    return F.pad(maps, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _sample(maps: Tensor, flow: Tensor) -> Tensor:
    """`maps` [M, C, H, W] at each pixel's target under `flow` (border values outside)."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=flow.device, dtype=flow.dtype),
        torch.arange(width, device=flow.device, dtype=flow.dtype),
        indexing="ij",
    )
    grid = torch.stack([(x + flow[:, 0]) * 2 / (width - 1) - 1, (y + flow[:, 1]) * 2 / (height - 1) - 1], -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=True)
