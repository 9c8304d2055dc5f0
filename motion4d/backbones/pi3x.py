"""Pi3X: Pi3 with convolutional heads, a metric scale, and priors (the authors of Pi3, 2025).

Whatever is known of the clip can be given (motion4d.backbones.pi3x_priors): depth and rays join the encoder's tokens,
poses let the posed views exchange after some decoder blocks. One more token looks at all others and says the scale:
points and translations are in metres. Everything else as in motion4d.backbones.pi3, keys included.

| deviation from the released code | why |
|---|---|
| posed views are gathered instead of masking the others | memory; no row without anything to attend to |
| any subset of priors | there: the demonstration needs all three |
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from motion4d.backbones.pi3 import AfterBlock, Pi3, Pi3Prediction, geometry_of
from motion4d.backbones.pi3x_priors import Normalised, PoseAttention, Priors
from motion4d.clip import Geometry, check_shape
from motion4d.layers.attention import Attend
from motion4d.layers.block import Block
from motion4d.layers.context_decoder import ContextDecoder
from motion4d.layers.conv_head import ConvHead
from motion4d.layers.rope import grid_rotary
from motion4d.layers.vit import PatchEmbed, VisionTransformer

LARGEST_LOG_DEPTH = 15.0


@dataclass
class Pi3XPrediction(Pi3Prediction):
    """As Pi3Prediction, in metres; metric [B]: the factor that made it so."""

    metric: Tensor | None = None


class Pi3X(Pi3):
    """Pi3X; the defaults are the published network (1.36 billion parameters), and Pi3's arguments go on to it.

    priors: whether the parts that read priors are built. pose_layers: poses act after these decoder blocks.
    conv_widths: of the point and confidence heads. metric_dim, metric_depth, metric_heads: of the scale's transformer.
    """

    def __init__(
        self,
        *,
        dim: int = 1024,
        decoder_depth: int = 36,
        decoder_heads: int = 16,
        encoder_depth: int = 24,
        encoder_heads: int = 16,
        encoder_registers: int = 4,
        pixel_dim: int = 1024,
        mlp_ratio: float = 4.0,
        patch_size: int = 14,
        position_grid: int = 37,
        layer_scale: float = 0.01,
        rope_base: float = 100.0,
        priors: bool = True,
        pose_layers: Sequence[int] = (1, 9, 17, 25, 33),
        conv_widths: Sequence[int] = (256, 128, 64),
        metric_dim: int = 512,
        metric_depth: int = 5,
        metric_heads: int = 8,
        **pi3: Any,
    ) -> None:
        super().__init__(
            dim=dim,
            decoder_depth=decoder_depth,
            decoder_heads=decoder_heads,
            encoder_depth=encoder_depth,
            encoder_heads=encoder_heads,
            encoder_registers=encoder_registers,
            pixel_dim=pixel_dim,
            mlp_ratio=mlp_ratio,
            patch_size=patch_size,
            position_grid=position_grid,
            layer_scale=layer_scale,
            rope_base=rope_base,
            **pi3,
        )
        if not all(0 <= layer < decoder_depth for layer in pose_layers):
            raise ValueError(f"pose_layers must be decoder blocks 0 to {decoder_depth - 1}, not {list(pose_layers)}")
        self.reads_priors = priors
        self.pose_layers = tuple(pose_layers)
        self._metric_head_dim = metric_dim // metric_heads
        if "points" in self.available_heads:  # in place of Pi3's linear ones
            self.point_head = ConvHead(pixel_dim, patch_size, (2, 1), widths=conv_widths)
        if "confidence" in self.available_heads:
            self.conf_head = ConvHead(pixel_dim, patch_size, (1,), widths=conv_widths)
        if self._has_scale:
            self.metric_token = nn.Parameter(torch.randn(1, 1, 2 * dim) * 1e-6)
            self.metric_decoder = ContextDecoder(2 * dim, metric_dim, metric_depth, metric_heads, mlp_ratio=mlp_ratio)
            self.metric_head = nn.Linear(metric_dim, 1)
        if priors:
            self.depth_encoder = VisionTransformer(
                dim,
                encoder_depth,
                encoder_heads,
                patch_size=patch_size,
                registers=encoder_registers,
                position_grid=position_grid,
                mlp_ratio=mlp_ratio,
                channels=2,
            )
            self.depth_emb = nn.Parameter(torch.zeros(1, 1, dim))
            self.ray_embed = PatchEmbed(patch_size, 2, dim)
            self.pose_inject_blk = nn.ModuleList(
                PoseBlock(dim, decoder_heads, mlp_ratio=mlp_ratio, qk_norm=True, layer_scale=layer_scale)
                for _ in pose_layers
            )

    @property
    def _has_scale(self) -> bool:
        return bool(self.available_heads & {"points", "pose"})

    def _absent_prefixes(self) -> tuple[str, ...]:
        """How the published keys begin of what was not built here."""
        absent = super()._absent_prefixes()
        if not self.reads_priors:
            absent += ("depth_encoder.", "depth_emb", "ray_embed.", "pose_inject_blk.")
        return absent if self._has_scale else (*absent, "metric_")

    def forward(
        self,
        images: Tensor,
        *,
        heads: Collection[str] = (),
        taps: Collection[str] = (),
        priors: Priors | None = None,
    ) -> Geometry:
        """As Pi3.forward, in metres; priors: what is known of these images beforehand."""
        said = self.predict(images, heads=heads, taps=taps, priors=priors)
        with torch.autocast(images.device.type, enabled=False):
            answer = geometry_of(said)
        answer.scale_is_metric = True
        return answer

    def predict(
        self,
        images: Tensor,
        *,
        heads: Collection[str] = (),
        taps: Collection[str] = (),
        priors: Priors | None = None,
    ) -> Pi3XPrediction:
        """As Pi3.predict, in metres; priors: what is known of these images beforehand."""
        check_shape("images", images, "B N 3 H W")
        self.check_request(images, heads, taps)
        if priors is not None and not self.reads_priors:
            raise ValueError("this Pi3X was built without the parts that read priors; build it with priors=true")
        patches = self._per_frame(self._encode, images.flatten(0, 1)).unflatten(0, images.shape[:2])
        after_block = None
        if priors is not None:
            known = priors.normalised(images)
            patches = self._informed(patches, known)
            after_block = self._pose_exchange(known, self._grid(images))
        tokens = self._tokens(patches, self._grid(images), heads, taps, after_block)
        said = self._answer(tokens, images, heads, taps)
        answer = Pi3XPrediction(said.camera_to_common, said.points_camera, said.confidence_logits, said.tokens)
        if {"points", "pose"} & set(heads):
            answer.metric = metric = self._metric(tokens, images)
            if answer.points_camera is not None:
                answer.points_camera = answer.points_camera * metric[:, None, None, None, None]
            if answer.camera_to_common is not None:
                pose = answer.camera_to_common.clone()
                pose[..., :3, 3] *= metric[:, None, None]
                answer.camera_to_common = pose
        return answer

    def _informed(self, patches: Tensor, known: Normalised) -> Tensor:
        """Encoder patches [B, N, h*w, dim] with what the depth and the rays of the known views say added."""
        if known.depth is not None and known.depth_known is not None:
            there = known.depth_known.nonzero(as_tuple=True)
            depth = known.depth[there]
            seen = self._per_frame(self.depth_encoder, torch.stack((depth, (depth > 0).to(depth.dtype)), 1))
            patches = patches.index_put(there, (seen + self.depth_emb).to(patches.dtype), accumulate=True)
        if known.rays is not None and known.rays_known is not None:
            there = known.rays_known.nonzero(as_tuple=True)
            rays = self._per_frame(self.ray_embed, known.rays[there].movedim(-1, 1))
            patches = patches.index_put(there, rays.to(patches.dtype), accumulate=True)
        return patches

    def _pose_exchange(self, known: Normalised, grid: tuple[int, int]) -> AfterBlock | None:
        """Lets the posed views of each batch item exchange after the blocks of `pose_layers`."""
        if known.camera_to_first is None or known.pose_known is None:
            return None
        posed = [(item, mask.nonzero().squeeze(1)) for item, mask in enumerate(known.pose_known)]
        groups = [
            (item, views, PoseAttention(known.camera_to_first[item, views], grid, self.attention_dim, self.rope_base))
            for item, views in posed
            if len(views)
        ]

        def exchange(index: int, tokens: Tensor) -> Tensor:
            if index not in self.pose_layers:
                return tokens
            block = self.pose_inject_blk[self.pose_layers.index(index)]
            tokens = tokens.clone()
            for item, views, attend in groups:
                patches = tokens[item, views, self.special_tokens :]
                change = block(patches.flatten(0, 1)[None], attend).view(patches.shape)
                tokens[item, views, self.special_tokens :] = patches + change
            return tokens

        return exchange

    def _metric(self, tokens: dict[str, Tensor], images: Tensor) -> Tensor:
        """The scale in metres [B]."""
        context = self._hidden(tokens).float().unflatten(0, images.shape[:2]).flatten(1, 2)
        grid = self._grid(images)
        rotary = grid_rotary(*grid, self.special_tokens, self._metric_head_dim, self.rope_base, images.device)
        with torch.autocast(images.device.type, enabled=False):
            token = self.metric_decoder(self.metric_token.expand(len(images), -1, -1), context, rotary)
            return self.metric_head(token).exp()[:, 0, 0]

    def _points_from(self, maps: Tensor) -> Tensor:
        """As Pi3's, with a limit to the depth."""
        return super()._points_from(torch.cat((maps[:, :2], maps[:, 2:].clamp(max=LARGEST_LOG_DEPTH)), dim=1))


class PoseBlock(Block):
    """What posed views tell each other: attention and MLP side by side, nothing added to the tokens themselves."""

    def forward(self, tokens: Tensor, attend: Attend) -> Tensor:  # type: ignore[override]
        """[B, T, dim] -> the change [B, T, dim]."""
        return self.ls1(self.attn(self.norm1(tokens), None, attend)) + self.ls2(self.mlp(self.norm2(tokens)))
