"""Motion heads: backbone tokens and optical flow -> motion logits.

`MotionHead` is the contract that GeoMotion works with; `FusionHead` is the published head of GeoMotion (Zhou et al.
2026): fusion of two depths of the trunk with camera tokens and flow, Pi3's confidence branch retrained, one logit per
pixel. FusionHead is built from the backbone it will read: it looks up how wide the taps are and how large a patch is,
and keeps no reference to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from motion4d.backbones.base import Backbone, CapabilityError
from motion4d.clip import Clip, Flow
from motion4d.io.weights import load_strict, read_state_dict
from motion4d.layers.pixel_head import PixelHead
from motion4d.layers.token_decoder import TokenDecoder
from motion4d.models.flow_input import FlowInput, bidirectional_max
from motion4d.models.motion_fusion import MotionFusion

# Published prefix -> ours; in the published file the motion decoder keeps the name of Pi3's confidence branch.
PUBLISHED_PREFIXES = {"motion_aware_decoder.": "fusion.", "conf_decoder.": "decoder.", "conf_head.": "pixels."}


class MotionHead(nn.Module):
    """What GeoMotion asks of a head.

    taps: the backbone's token taps that it reads; needs_flow: False if it can answer without flow.
    """

    taps: tuple[str, ...] = ()
    needs_flow: bool = True

    def forward(
        self, tokens: Mapping[str, Tensor], clip: Clip, flow: Flow | None, *, grid: tuple[int, int], special: int
    ) -> Tensor:
        """Motion logits [B, N, H, W] of a framed clip.

        tokens: each of `taps` -> [B, N, special + h*w, C], special tokens first, patches row by row, `grid` = (h, w);
        clip: images at the network's size; flow: in pixels of these images, both directions.
        """
        raise NotImplementedError(f"{type(self).__name__} computes nothing")


class FusionHead(MotionHead):
    """GeoMotion's published head, on the taps of any backbone.

    low_taps, high_taps: shallow and deep taps, each group joined along channels; camera_tap: tokens of a camera branch,
    or None; fused_dim: channels after the fusion (default: those of the high taps); dim, depth, heads: of the decoder;
    flow_input: what is made of the flow, with `flow_in` channels. With `allow_missing_flow`, a clip without flow
    skips the fusion (the decoder reads the high taps): weights trained with flow answer badly then.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        low_taps: Sequence[str],
        high_taps: Sequence[str],
        camera_tap: str | None = None,
        fused_dim: int | None = None,
        dim: int = 1024,
        depth: int = 5,
        heads: int = 16,
        flow_channels: Sequence[int] = (32, 64, 128),
        flow_input: FlowInput = bidirectional_max,
        flow_in: int = 1,
        allow_missing_flow: bool = False,
    ) -> None:
        super().__init__()
        self.low_taps, self.high_taps, self.camera_tap = tuple(low_taps), tuple(high_taps), camera_tap
        camera_taps = () if camera_tap is None else (camera_tap,)
        self.taps = (*self.low_taps, *self.high_taps, *camera_taps)
        self.needs_flow = not allow_missing_flow
        self.flow_input = flow_input
        low_dim, high_dim, camera_dim = (
            tap_channels(backbone, taps) for taps in (self.low_taps, self.high_taps, camera_taps)
        )
        fused_dim = fused_dim or high_dim
        if allow_missing_flow and fused_dim != high_dim:
            raise ValueError(f"to work without flow, fused_dim must be that of the high taps, {high_dim}")
        self.fusion = MotionFusion(
            low_dim,
            high_dim,
            camera_dim,
            fused_dim,
            patch_size=backbone.patch_size,
            flow_in=flow_in,
            flow_channels=flow_channels,
        )
        self.decoder = TokenDecoder(fused_dim, dim, depth, heads, dim)
        self.pixels = PixelHead(dim, backbone.patch_size, 1)

    def forward(
        self, tokens: Mapping[str, Tensor], clip: Clip, flow: Flow | None, *, grid: tuple[int, int], special: int
    ) -> Tensor:
        """Motion logits [B, N, H, W]; see MotionHead."""
        fused = self.fuse(tokens, flow, special=special)
        decoded = self.decoder(fused, grid, special=special)[:, special:]
        with torch.autocast(decoded.device.type, enabled=False):  # logits in float32, as published
            logits = self.pixels(decoded.float(), grid)
        return logits.view(*clip.images.shape[:2], *clip.size)

    def fuse(self, tokens: Mapping[str, Tensor], flow: Flow | None, *, special: int) -> Tensor:
        """The fused tokens of single frames [B*N, special + h*w, fused_dim]."""
        high = _joined(tokens, self.high_taps)
        if flow is None:
            return high
        camera = None if self.camera_tap is None else tokens[self.camera_tap].flatten(0, 1)
        maps = self.flow_input(flow).flatten(0, 1)
        return self.fusion(_joined(tokens, self.low_taps), high, camera, maps, special=special)

    def load_weights(self, path: str | Path) -> None:
        """Start from Pi3's own file, as published: its confidence branch fills decoder and pixels, the fusion stays."""
        confidence = {
            key: value
            for key, value in from_published_head(read_state_dict(path)).items()
            if not key.startswith("fusion.")
        }
        fusion = {f"fusion.{key}": value for key, value in self.fusion.state_dict().items()}
        load_strict(self, fusion | confidence, source=path)


def from_published_head(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The FusionHead's entries among published ones, under our names."""
    return {
        ours + key.removeprefix(published): value
        for key, value in state.items()
        for published, ours in PUBLISHED_PREFIXES.items()
        if key.startswith(published)
    }


def tap_channels(backbone: Backbone, taps: Sequence[str]) -> int:
    """The channels of these taps together; a tap that the backbone lacks is a CapabilityError."""
    offered = backbone.available_taps
    lacking = [tap for tap in taps if tap not in offered]
    if lacking:
        raise CapabilityError(
            f"{type(backbone).__name__} has no tap {', '.join(lacking)}, which the motion head asks for; "
            f"it offers {', '.join(sorted(offered))}"
        )
    return sum(offered[tap] for tap in taps)


def _joined(tokens: Mapping[str, Tensor], taps: Sequence[str]) -> Tensor:
    """[B*N, special + h*w, sum of C]."""
    return torch.cat([tokens[tap] for tap in taps], dim=-1).flatten(0, 1)
